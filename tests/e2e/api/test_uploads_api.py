"""Uploads over HTTP: announced, sent to storage, resumed, completed, refused, given up."""

from __future__ import annotations

import asyncio
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select, update
from temporalio.client import Client, WorkflowExecutionStatus

from api.media.completion import join
from domain.accounts import Role
from domain.errors import Conflict
from domain.ids import ingest_workflow_id
from infra.db import transaction
from infra.models import Media, Upload
from infra.storage import Storage
from tests.e2e.api.uploading import (
    MIB,
    PART,
    SMALL_PARTS,
    UPLOADS,
    announce,
    announce_large,
    complete,
    large_file,
    put,
    send_parts,
)
from tests.harness.api import RunningApi, StartApi
from tests.harness.rows import MakeMedia, MakeUser


def row(engine: Engine, media_id: str) -> Media:
    with transaction(engine) as session:
        return session.get_one(Media, media_id)


async def test_a_small_file_is_one_put_and_becomes_a_run(
    api: RunningApi, make_user: MakeUser, engine: Engine, temporal_client: Client
) -> None:
    creator = make_user(role=Role.CREATOR)
    client = api.client(creator)
    content = os.urandom(1000)
    upload = announce(
        client,
        sha256=hashlib.sha256(content).hexdigest(),
        title="Dunes",
        visibility="gated",
    )
    assert (upload["method"], upload["state"], upload["parts"]) == ("put", "open", [])
    assert put(upload["put"], content).status_code == 200
    answer = complete(client, upload)
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/api/v1/media/{upload['media_id']}"
    assert answer.json()["media_state"] == "processing"
    media = row(engine, upload["media_id"])
    assert (media.title, media.visibility, media.watermark_text) == (
        "Dunes",
        "gated",
        f"@{creator.handle}",
    )
    run = await temporal_client.get_workflow_handle(ingest_workflow_id(media.id)).describe()
    assert run.status is WorkflowExecutionStatus.RUNNING
    assert run.search_attributes["MediaId"] == [media.id]
    await temporal_client.get_workflow_handle(run.id).terminate()


def test_storage_refuses_bytes_of_another_length_or_hash(
    api: RunningApi, make_user: MakeUser
) -> None:
    client = api.client(make_user(role=Role.CREATOR))
    content = os.urandom(1000)
    upload = announce(client, sha256=hashlib.sha256(content).hexdigest())
    assert put(upload["put"], os.urandom(1000)).status_code == 400
    assert put(upload["put"], content + b"x").status_code >= 400
    answer = complete(client, upload)
    assert (answer.status_code, answer.json()["code"]) == (409, "parts_missing")
    assert put(upload["put"], content).status_code == 200
    assert complete(client, upload).status_code == 202


def test_an_interrupted_upload_lists_what_arrived_and_goes_on(
    start_api: StartApi, make_user: MakeUser, storage: Storage
) -> None:
    api = start_api(**SMALL_PARTS)
    client = api.client(make_user(role=Role.CREATOR))
    content = large_file(parts=3)
    upload = announce_large(client, content)
    assert (upload["method"], upload["part_count"], upload["part_bytes"]) == ("multipart", 3, PART)
    send_parts(upload, content, skip=(2,))

    arrived = client.get(f"{UPLOADS}/{upload['id']}/parts").json()
    assert [part["number"] for part in arrived["arrived"]] == [1, 3]
    assert arrived["missing"] == [2]
    answer = complete(client, upload)
    assert (answer.status_code, answer.json()["code"]) == (409, "parts_missing")
    assert answer.json()["facts"] == {"missing_count": 1, "missing": "2"}

    signed = client.post(f"{UPLOADS}/{upload['id']}/parts", json={"numbers": [2, 2]}).json()
    assert [part["number"] for part in signed["parts"]] == [2]
    assert put(signed["parts"][0], content[PART : 2 * PART]).status_code == 200
    assert complete(client, upload).status_code == 202
    stored = storage.read(storage.quarantine, f"o/{upload['media_id']}")
    assert hashlib.sha256(stored).digest() == hashlib.sha256(content).digest()


def test_completing_twice_answers_the_same(start_api: StartApi, make_user: MakeUser) -> None:
    client = start_api(**SMALL_PARTS).client(make_user(role=Role.CREATOR))
    content = large_file()
    upload = announce_large(client, content)
    send_parts(upload, content)
    first, second = complete(client, upload), complete(client, upload)
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == second.json()


def test_completing_at_once_from_two_sides_completes_once(
    start_api: StartApi, make_user: MakeUser, engine: Engine
) -> None:
    api = start_api(**SMALL_PARTS)
    creator = make_user(role=Role.CREATOR)
    content = large_file()
    upload = announce_large(api.client(creator), content)
    send_parts(upload, content)
    clients = [api.client(creator) for _ in range(4)]
    with ThreadPoolExecutor(len(clients)) as pool:
        answers = list(pool.map(lambda client: complete(client, upload), clients))
    assert [answer.status_code for answer in answers] == [202] * 4
    assert len({answer.json()["completed_at"] for answer in answers}) == 1
    media = row(engine, upload["media_id"])
    assert (media.state, media.generation) == ("processing", 1)


def test_a_list_taken_while_another_joins_is_no_missing_part(
    start_api: StartApi,
    make_user: MakeUser,
    engine: Engine,
    storage: Storage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Storage drops the parts one by one once the object is there."""
    content = large_file(parts=3)
    announced = announce_large(
        start_api(**SMALL_PARTS).client(make_user(role=Role.CREATOR)), content
    )
    send_parts(announced, content)
    with transaction(engine) as session:
        upload = session.get_one(Upload, announced["id"])
        multipart_id = str(upload.multipart_id)
    arrived = storage.list_parts(upload.object_key, multipart_id)
    joined = storage.complete_multipart(upload.object_key, multipart_id, arrived)
    monkeypatch.setattr(storage, "list_parts", lambda *_: arrived[2:])
    assert join(storage, upload, None) == joined
    storage.delete(storage.quarantine, upload.object_key)
    with pytest.raises(Conflict) as caught:
        join(storage, upload, None)
    assert caught.value.code == "parts_missing"


def test_parts_that_the_client_lists_are_compared(start_api: StartApi, make_user: MakeUser) -> None:
    client = start_api(**SMALL_PARTS).client(make_user(role=Role.CREATOR))
    content = large_file()
    upload = announce_large(client, content)
    send_parts(upload, content)
    arrived = client.get(f"{UPLOADS}/{upload['id']}/parts").json()["arrived"]
    mine = [{"number": part["number"], "etag": f'"{part["etag"]}"'} for part in arrived]
    wrong = [mine[0], mine[1] | {"etag": "0" * 32}]
    answer = complete(client, upload, {"parts": wrong})
    assert (answer.status_code, answer.json()["code"]) == (409, "part_differs")
    assert answer.json()["facts"] == {"part": 2}
    assert complete(client, upload, {"parts": mine}).status_code == 202


def test_a_part_of_another_length_is_refused(start_api: StartApi, make_user: MakeUser) -> None:
    client = start_api(**SMALL_PARTS).client(make_user(role=Role.CREATOR))
    content = large_file()
    upload = announce_large(client, content)
    assert put(upload["parts"][1], content[PART : PART + 100]).status_code >= 400


def test_an_aborted_upload_is_gone_with_its_bytes(
    start_api: StartApi, make_user: MakeUser, engine: Engine, storage: Storage
) -> None:
    client = start_api(**SMALL_PARTS).client(make_user(role=Role.CREATOR))
    content = large_file()
    upload = announce_large(client, content)
    send_parts(upload, content)
    url = f"{UPLOADS}/{upload['id']}"
    assert client.delete(url).status_code == 204
    assert client.delete(url).status_code == 204
    assert client.get(url).json()["state"] == "aborted"
    answer = complete(client, upload)
    assert (answer.status_code, answer.json()["code"]) == (410, "upload_aborted")
    assert client.get(f"/api/v1/media/{upload['media_id']}").status_code == 404
    assert client.get("/api/v1/media").json()["data"] == []
    assert row(engine, upload["media_id"]).erased_at is not None
    key = f"o/{upload['media_id']}"
    open_keys = {each.key for each in storage.list_stale_multiparts(before=_soon())}
    assert key not in open_keys
    assert storage.head(storage.quarantine, key) is None


def test_a_completed_upload_can_not_be_aborted(api: RunningApi, make_user: MakeUser) -> None:
    client = api.client(make_user(role=Role.CREATOR))
    upload = announce(client)
    put(upload["put"], bytes(1000))
    complete(client, upload)
    answer = client.delete(f"{UPLOADS}/{upload['id']}")
    assert (answer.status_code, answer.json()["code"]) == (409, "upload_completed")
    answer = client.post(f"{UPLOADS}/{upload['id']}/parts", json={"numbers": [1]})
    assert (answer.status_code, answer.json()["code"]) == (409, "upload_completed")


def test_an_expired_upload_is_gone_whether_or_not_the_sweep_has_been(
    api: RunningApi, make_user: MakeUser, engine: Engine
) -> None:
    client = api.client(make_user(role=Role.CREATOR))
    upload = announce(client)
    url = f"{UPLOADS}/{upload['id']}"
    past = datetime.now(UTC) - timedelta(seconds=1)
    for values in ({"expires_at": past}, {"state": "expired"}):
        with transaction(engine) as session:
            session.execute(update(Upload).values(**values))
        body = client.get(url).json()
        assert (body["state"], body["put"]) == ("expired", None)
        for answer in (
            complete(client, upload),
            client.post(f"{url}/parts", json={"numbers": [1]}),
            client.get(f"{url}/parts"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (410, "upload_expired")


def test_addresses_are_issued_again(api: RunningApi, make_user: MakeUser) -> None:
    client = api.client(make_user(role=Role.CREATOR))
    upload = announce(client)
    again = client.get(f"{UPLOADS}/{upload['id']}").json()
    assert put(again["put"], bytes(1000)).status_code == 200
    assert complete(client, upload).status_code == 202


def test_a_single_put_has_no_parts(api: RunningApi, make_user: MakeUser) -> None:
    client = api.client(make_user(role=Role.CREATOR))
    upload = announce(client)
    answer = client.post(f"{UPLOADS}/{upload['id']}/parts", json={"numbers": [1]})
    assert (answer.status_code, answer.json()["code"]) == (409, "not_multipart")


def test_a_part_beyond_the_plan_is_refused(start_api: StartApi, make_user: MakeUser) -> None:
    client = start_api(**SMALL_PARTS).client(make_user(role=Role.CREATOR))
    upload = announce_large(client, large_file())
    answer = client.post(f"{UPLOADS}/{upload['id']}/parts", json={"numbers": [1, 3]})
    assert (answer.status_code, answer.json()["code"]) == (422, "part_unknown")


@pytest.mark.parametrize(
    ("wish", "status", "code"),
    [
        ({"content_type": "image/svg+xml"}, 415, "unsupported_type"),
        ({"content_type": "application/x-msdownload"}, 415, "unsupported_type"),
        ({"size_bytes": 50 * MIB + 1}, 413, "file_too_large"),
        ({"purpose": "avatar", "size_bytes": 10 * MIB + 1}, 413, "file_too_large"),
        ({"kind": "video"}, 422, "kind_contradicts_type"),
        ({"teaser": {"duration_seconds": 5}}, 422, "teaser_needs_video"),
        ({"sha256": "XYZ"}, 422, "invalid_request"),
        ({"file_name": ""}, 422, "invalid_request"),
    ],
)
def test_what_can_be_known_is_refused_before_a_byte_is_sent(
    api: RunningApi,
    make_user: MakeUser,
    engine: Engine,
    wish: dict[str, object],
    status: int,
    code: str,
) -> None:
    client = api.client(make_user(role=Role.CREATOR))
    values = {"file_name": "a.jpg", "size_bytes": 1000, "content_type": "image/jpeg"}
    answer = client.post(UPLOADS, json=values | wish)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    if code == "file_too_large":
        assert answer.json()["facts"]["limit_bytes"] in (50 * MIB, 10 * MIB)
    with transaction(engine) as session:
        assert session.scalars(select(Upload)).all() == []


def test_a_fan_may_upload_an_avatar_and_nothing_else(api: RunningApi, make_user: MakeUser) -> None:
    client = api.client(make_user(role=Role.FAN))
    assert announce(client, purpose="avatar")["state"] == "open"
    values = {"file_name": "a.jpg", "size_bytes": 1000, "content_type": "image/jpeg"}
    answer = client.post(UPLOADS, json=values)
    assert (answer.status_code, answer.json()["code"]) == (403, "creators_only")


def test_open_uploads_are_limited_and_freed_by_aborting(
    start_api: StartApi, make_user: MakeUser
) -> None:
    client = start_api(upload_open_max=2).client(make_user(role=Role.CREATOR))
    first = announce(client)
    announce(client)
    wish = {"file_name": "a.jpg", "size_bytes": 1000, "content_type": "image/jpeg"}
    answer = client.post(UPLOADS, json=wish)
    assert (answer.status_code, answer.json()["code"]) == (409, "open_uploads_exceeded")
    assert answer.json()["facts"]["limit"] == 2
    client.delete(f"{UPLOADS}/{first['id']}")
    announce(client)


def test_the_storage_quota_counts_what_is_held_and_what_is_announced(
    start_api: StartApi, make_user: MakeUser, make_media: MakeMedia
) -> None:
    creator = make_user(role=Role.CREATOR)
    make_media(owner=creator, original_bytes=5000)
    make_media(owner=creator, original_bytes=9000, original_deleted_at=datetime.now(UTC))
    client = start_api(storage_quota_bytes=8000).client(creator)
    announce(client, size_bytes=2000)
    wish = {"file_name": "a.jpg", "size_bytes": 1001, "content_type": "image/jpeg"}
    answer = client.post(UPLOADS, json=wish)
    assert (answer.status_code, answer.json()["code"]) == (409, "storage_quota_exceeded")
    assert answer.json()["facts"] == {
        "stored_bytes": 7000,
        "size_bytes": 1001,
        "limit_bytes": 8000,
    }
    announce(client, size_bytes=1000)


def test_uploads_begun_at_once_can_not_exceed_a_quota_together(
    start_api: StartApi, make_user: MakeUser
) -> None:
    api = start_api(upload_open_max=3)
    creator = make_user(role=Role.CREATOR)
    wish = {"file_name": "a.jpg", "size_bytes": 1000, "content_type": "image/jpeg"}
    clients = [api.client(creator) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda client: client.post(UPLOADS, json=wish), clients))
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 5


def test_a_path_in_a_file_name_is_cut_off(
    api: RunningApi, make_user: MakeUser, engine: Engine
) -> None:
    client = api.client(make_user(role=Role.CREATOR))
    upload = announce(client, file_name="..\\..\\C:/photos/../me.jpg")
    assert upload["file_name"] == "me.jpg"
    assert row(engine, upload["media_id"]).original_key == f"o/{upload['media_id']}"


async def test_a_committed_upload_is_accepted_while_temporal_is_away(
    start_api: StartApi, make_user: MakeUser, engine: Engine
) -> None:
    api = start_api(temporal_address="127.0.0.1:1")
    client = api.client(make_user(role=Role.CREATOR))
    upload = announce(client)
    put(upload["put"], bytes(1000))
    answer = await asyncio.to_thread(complete, client, upload)
    assert answer.status_code == 202
    media = row(engine, upload["media_id"])
    assert (media.state, media.workflow_id) == ("processing", ingest_workflow_id(media.id))


def _soon() -> datetime:
    return datetime.now(UTC) + timedelta(minutes=5)
