"""Storage that fails while an upload is opened or completed. Nothing acknowledged is lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, select, update

from domain.accounts import Role
from infra.db import transaction
from infra.models import AuditEntry, Media, Upload
from infra.settings import Settings
from infra.storage import Storage
from tests.e2e.api.uploading import (
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
from tests.harness.api import StartApi
from tests.harness.faulty_s3 import Fault, FaultyS3
from tests.harness.rows import MakeUser


@pytest.fixture
def faulty(settings: Settings) -> Iterator[FaultyS3]:
    assert settings.s3_endpoint is not None
    with FaultyS3(settings.s3_endpoint).running() as proxy:
        yield proxy


@pytest.fixture
def through(faulty: FaultyS3, settings: Settings) -> dict[str, object]:
    """Settings by which the API meets the proxy, and its clients the real store."""
    return {
        **SMALL_PARTS,
        "s3_endpoint": faulty.address,
        "s3_public_endpoint": settings.s3_endpoint,
    }


def test_an_error_inside_a_200_is_not_taken_for_success(
    start_api: StartApi, make_user: MakeUser, faulty: FaultyS3, through: dict[str, object]
) -> None:
    client = start_api(**through).client(make_user(role=Role.CREATOR))
    content = large_file()
    upload = announce_large(client, content)
    send_parts(upload, content)
    faulty.faults = [Fault.ERROR_IN_200] * 8
    answer = complete(client, upload)
    assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
    assert answer.headers["retry-after"].isdecimal()
    assert "bucket" not in answer.text
    assert client.get(f"{UPLOADS}/{upload['id']}").json()["state"] == "open"
    faulty.faults = []
    assert complete(client, upload).status_code == 202


def test_a_single_error_inside_a_200_is_repeated_unseen(
    start_api: StartApi, make_user: MakeUser, faulty: FaultyS3, through: dict[str, object]
) -> None:
    client = start_api(**through).client(make_user(role=Role.CREATOR))
    content = large_file()
    upload = announce_large(client, content)
    send_parts(upload, content)
    faulty.faults = [Fault.ERROR_IN_200]
    assert complete(client, upload).status_code == 202
    assert faulty.count("POST complete") == 2


def test_a_lost_answer_to_complete_is_found_out_by_head(
    start_api: StartApi, make_user: MakeUser, faulty: FaultyS3, through: dict[str, object]
) -> None:
    client = start_api(**through).client(make_user(role=Role.CREATOR))
    content = large_file()
    upload = announce_large(client, content)
    send_parts(upload, content)
    faulty.faults = [Fault.LOST_ANSWER]
    answer = complete(client, upload)
    assert (answer.status_code, answer.json()["media_state"]) == (202, "processing")
    assert faulty.count("HEAD object") >= 1


def test_a_process_that_died_after_joining_the_parts_is_made_good_by_a_repeat(
    start_api: StartApi, make_user: MakeUser, storage: Storage, engine: Engine
) -> None:
    client = start_api(**SMALL_PARTS).client(make_user(role=Role.CREATOR))
    content = large_file()
    upload = announce_large(client, content)
    send_parts(upload, content)
    with transaction(engine) as session:
        row = session.get_one(Upload, upload["id"])
    assert row.multipart_id is not None
    parts = storage.list_parts(row.object_key, row.multipart_id)
    storage.complete_multipart(row.object_key, row.multipart_id, parts)
    answer = complete(client, upload)
    assert (answer.status_code, answer.json()["state"]) == (202, "completed")


def test_joined_parts_of_another_size_are_rejected_for_good(
    start_api: StartApi, make_user: MakeUser, storage: Storage, engine: Engine
) -> None:
    """Somebody joined fewer parts behind our back, so they can't be sent again."""
    client = start_api(**SMALL_PARTS).client(make_user(role=Role.CREATOR))
    content = large_file()
    upload = announce_large(client, content)
    send_parts(upload, content)
    with transaction(engine) as session:
        row = session.get_one(Upload, upload["id"])
    assert row.multipart_id is not None
    first, _ = storage.list_parts(row.object_key, row.multipart_id)
    storage.complete_multipart(row.object_key, row.multipart_id, [first])
    for _ in range(2):
        answer = complete(client, upload)
        assert (answer.status_code, answer.json()["code"]) == (422, "size_mismatch")
        assert answer.json()["facts"] == {
            "expected_bytes": len(content),
            "arrived_bytes": PART,
        }
    media = client.get(f"/api/v1/media/{upload['media_id']}").json()
    assert media["state"] == "rejected"
    assert media["manage"]["rejection"]["code"] == "size_mismatch"
    with transaction(engine) as session:
        rejected = session.get_one(Media, upload["media_id"])
        assert rejected.retain_original_until is not None, "the sweep would never delete it"
        (entry,) = session.scalars(
            select(AuditEntry).where(AuditEntry.subject_id == upload["media_id"])
        )
        assert (entry.action, entry.detail["code"]) == ("media.rejected", "size_mismatch")


def test_one_put_of_another_size_can_be_sent_again(
    start_api: StartApi, make_user: MakeUser, storage: Storage
) -> None:
    client = start_api().client(make_user(role=Role.CREATOR))
    upload = announce(client)
    storage.put_bytes(
        storage.quarantine, f"o/{upload['media_id']}", b"short", content_type="image/jpeg"
    )
    answer = complete(client, upload)
    assert (answer.status_code, answer.json()["code"]) == (422, "size_mismatch")
    assert put(upload["put"], bytes(1000)).status_code == 200
    assert complete(client, upload).status_code == 202


def test_storage_that_is_away_leaves_nothing_open(
    start_api: StartApi,
    make_user: MakeUser,
    faulty: FaultyS3,
    through: dict[str, object],
    engine: Engine,
) -> None:
    client = start_api(**through).client(make_user(role=Role.CREATOR))
    faulty.faults = [Fault.REFUSED] * 8
    wish = {"file_name": "c.mp4", "size_bytes": 3 * PART, "content_type": "video/mp4"}
    answer = client.post(UPLOADS, json=wish)
    assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
    with transaction(engine) as session:
        assert session.scalars(select(Upload.state)).all() == ["aborted"]
        assert session.scalars(select(Media.state)).all() == ["deleted"]


def test_a_multipart_upload_that_storage_lost_is_gone(
    start_api: StartApi, make_user: MakeUser, storage: Storage, engine: Engine
) -> None:
    client = start_api(**SMALL_PARTS).client(make_user(role=Role.CREATOR))
    content = large_file()
    upload = announce_large(client, content)
    with transaction(engine) as session:
        row = session.get_one(Upload, upload["id"])
    assert row.multipart_id is not None
    storage.abort_multipart(row.object_key, row.multipart_id)
    for answer in (complete(client, upload), client.get(f"{UPLOADS}/{upload['id']}/parts")):
        assert (answer.status_code, answer.json()["code"]) == (410, "upload_lost")


def test_a_crash_before_the_multipart_id_was_stored_leaves_an_upload_that_says_so(
    start_api: StartApi, make_user: MakeUser, engine: Engine
) -> None:
    client = start_api(**SMALL_PARTS).client(make_user(role=Role.CREATOR))
    upload = announce_large(client, large_file())
    with transaction(engine) as session:
        session.execute(update(Upload).values(multipart_id=None))
    assert client.get(f"{UPLOADS}/{upload['id']}").json()["parts"] == []
    answer = client.post(f"{UPLOADS}/{upload['id']}/parts", json={"numbers": [1]})
    assert (answer.status_code, answer.json()["code"]) == (410, "upload_lost")
