"""Requests that are sent twice and count once."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2 as httpx
import psycopg
import pytest
from sqlalchemy import Engine, func, select, update

from api.auth.tokens import TokenKeys, mint_token
from domain.accounts import Role
from infra.db import transaction
from infra.ids import new_id
from infra.models import AuthSession, IdempotencyRecord, Media, User
from infra.settings import Settings
from tests.e2e.api.published import Publisher
from tests.e2e.api.uploading import UPLOADS
from tests.harness.api import RunningApi, StartApi
from tests.harness.rows import Entitle, MakeUser

WISH = {"file_name": "a.jpg", "size_bytes": 10, "content_type": "image/jpeg"}
MEDIA = "/api/v1/media"
REPLAYED = "idempotency-replayed"


@pytest.fixture
def creator(make_user: MakeUser) -> User:
    return make_user(role=Role.CREATOR)


def upload(client: httpx.Client, key: str, **changes: Any) -> httpx.Response:
    return client.post(UPLOADS, json=WISH | changes, headers={"idempotency-key": key})


def media_count(engine: Engine) -> int:
    with transaction(engine) as session:
        return session.scalar(select(func.count()).select_from(Media)) or 0


def records(engine: Engine) -> list[IdempotencyRecord]:
    with transaction(engine) as session:
        return list(session.scalars(select(IdempotencyRecord)))


def test_what_is_kept_is_sealed(api: RunningApi, creator: User, engine: Engine) -> None:
    answer = upload(api.client(creator), "one")
    [record] = records(engine)
    assert record.body is not None and answer.json()["id"].encode() not in record.body
    signed = answer.json()["put"]["url"].partition("X-Amz-Signature=")[2]
    assert signed, "the answer holds a signed address"
    assert signed not in str(vars(record))


def test_a_repeat_gets_the_first_answer_and_changes_nothing(
    api: RunningApi, creator: User, engine: Engine
) -> None:
    client = api.client(creator)
    first, second = upload(client, "one"), upload(client, "one")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    for name in ("location", "content-type", "content-length"):
        assert first.headers[name] == second.headers[name]
    assert REPLAYED not in first.headers
    assert second.headers[REPLAYED] == "true"
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert media_count(engine) == 1


def test_without_a_key_or_with_another_one_a_request_counts_anew(
    api: RunningApi, creator: User, engine: Engine
) -> None:
    client = api.client(creator)
    ids = {upload(client, key).json()["id"] for key in ("one", "two")}
    ids |= {client.post(UPLOADS, json=WISH).json()["id"] for _ in range(2)}
    assert len(ids) == media_count(engine) == 4


def test_two_people_may_choose_the_same_key(api: RunningApi, make_user: MakeUser) -> None:
    clients = [api.client(make_user(role=Role.CREATOR)) for _ in range(2)]
    answers = [upload(client, "one") for client in clients]
    assert answers[0].json()["id"] != answers[1].json()["id"]


def test_a_key_belongs_to_one_request(api: RunningApi, creator: User) -> None:
    client = api.client(creator)
    upload(client, "one")
    for other in (
        upload(client, "one", size_bytes=11),
        client.post(f"{UPLOADS}?x=1", json=WISH, headers={"idempotency-key": "one"}),
        client.post("/api/v1/media:batchDelete", json={}, headers={"idempotency-key": "one"}),
    ):
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_of_many_at_the_same_time_one_is_carried_out(
    api: RunningApi, creator: User, engine: Engine
) -> None:
    clients = [api.client(creator) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda client: upload(client, "one"), clients))
    created = [each for each in answers if each.status_code == 201]
    assert sum(REPLAYED not in each.headers for each in created) == 1
    assert len({each.json()["id"] for each in created}) == 1
    refused = [each.json()["code"] for each in answers if each.status_code != 201]
    assert set(refused) <= {"idempotency_in_flight"}
    assert media_count(engine) == 1


def test_while_the_first_is_in_flight_a_repeat_is_a_conflict(
    api: RunningApi, creator: User, settings: Settings, engine: Engine
) -> None:
    with ThreadPoolExecutor(1) as pool:
        with held_up(settings, engine) as wait_for_the_first:
            first = pool.submit(upload, api.client(creator), "one")
            wait_for_the_first()
            second = upload(api.client(creator), "one")
            assert (second.status_code, second.json()["code"]) == (409, "idempotency_in_flight")
        assert first.result().status_code == 201
    assert upload(api.client(creator), "one").json() == first.result().json()


@contextmanager
def held_up(settings: Settings, engine: Engine) -> Iterator[Callable[[], None]]:
    """Uploads wait in the middle of their transaction until the block is left. Gives what
    waits until one of them does."""
    with psycopg.connect(settings.psycopg_url) as blocker:
        blocker.execute("LOCK TABLE uploads IN ACCESS EXCLUSIVE MODE")

        def wait() -> None:
            with engine.connect() as watcher:
                while not watcher.exec_driver_sql(
                    "SELECT count(*) FROM pg_locks WHERE NOT granted "
                    "AND relation = 'uploads'::regclass"
                ).scalar():
                    watcher.rollback()
                    time.sleep(0.02)

        yield wait


def test_a_key_whose_process_died_is_free_when_its_lock_runs_out(
    api: RunningApi,
    creator: User,
    settings: Settings,
    engine: Engine,
    stack_environment: dict[str, str],
) -> None:
    headers = {"authorization": f"Bearer {mint_token(settings, creator.id)}"}
    with (
        held_up(settings, engine) as wait_for_the_first,
        api_process(stack_environment) as (process, url),
        ThreadPoolExecutor(1) as pool,
        httpx.Client(base_url=url, headers=headers, verify=False, timeout=30) as client,
    ):
        lost = pool.submit(upload, client, "one")
        wait_for_the_first()
        process.send_signal(signal.SIGKILL)
        with pytest.raises(httpx.TransportError):
            lost.result()
    client = api.client(creator)
    assert upload(client, "one").json()["code"] == "idempotency_in_flight"
    _age(engine, locked_until=datetime.now(UTC) - timedelta(seconds=1))
    # Another request still can't have it: nobody knows how far the first one came.
    assert upload(client, "one", size_bytes=11).json()["code"] == "idempotency_key_reused"
    assert upload(client, "one").status_code == 201
    assert upload(client, "one").headers[REPLAYED] == "true"
    assert media_count(engine) == 1


def test_a_request_is_given_up_before_its_lock_runs_out(
    start_api: StartApi, creator: User, settings: Settings, engine: Engine
) -> None:
    api = start_api(idempotency_lock_seconds=2)
    with ThreadPoolExecutor(1) as pool, held_up(settings, engine) as wait_for_the_first:
        slow = pool.submit(upload, api.client(creator), "one")
        wait_for_the_first()
        first = slow.result()
        assert (first.status_code, first.json()["code"]) == (503, "took_too_long")
        assert first.headers["retry-after"].isdecimal()
        early = upload(api.client(creator), "one")
        assert (early.status_code, early.json()["code"]) == (409, "idempotency_in_flight")
    [record] = records(engine)
    while datetime.now(UTC) < record.locked_until:
        time.sleep(0.05)
    assert upload(api.client(creator), "one").status_code == 201
    assert media_count(engine) == 1


def test_a_request_that_was_cut_off_does_not_take_the_key(
    api: RunningApi, creator: User, engine: Engine
) -> None:
    client = api.client(creator)
    host, port = api.url.removeprefix("http://").split(":")
    body = json.dumps(WISH).encode()
    head = (
        f"POST {UPLOADS} HTTP/1.1\r\nhost: {host}\r\nidempotency-key: one\r\n"
        f"authorization: {client.headers['authorization']}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    given_up = requests_given_up(client)
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(head.encode() + body[:20])
    while requests_given_up(client) == given_up:
        time.sleep(0.02)
    assert records(engine) == []
    assert upload(client, "one").status_code == 201


def requests_given_up(client: httpx.Client) -> int:
    """How many requests have ended without an answer, as the metrics count them."""
    return sum(
        int(float(line.rpartition(" ")[2]))
        for line in client.get("/metrics").text.splitlines()
        if line.startswith("fansworld_http_requests_total") and 'status="0"' in line
    )


def test_decisions_and_signatures_are_made_anew_whatever_the_key(
    api: RunningApi, creator: User, make_user: MakeUser, publish: Publisher, entitle: Entitle
) -> None:
    media, fan = publish.image(creator), make_user()
    client, headers = api.client(fan), {"idempotency-key": "one"}

    def asked() -> list[httpx.Response]:
        body = {"media_ids": [media.id]}
        return [
            client.post(f"{MEDIA}/{media.id}/playback", headers=headers),
            client.post(f"{MEDIA}:batchAccess", json=body, headers={"idempotency-key": "two"}),
        ]

    assert [each.status_code for each in asked()] == [402, 200]
    entitle(fan, creator_id=creator.id)
    playback, access = asked()
    assert playback.status_code == 200
    assert REPLAYED not in playback.headers
    assert REPLAYED not in access.headers


@contextmanager
def api_process(environment: dict[str, str]) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """An API in a process of its own, so that it can be killed."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    env = {**os.environ, **environment, "API_PORT": str(port)}
    process = subprocess.Popen([sys.executable, "-m", "api"], env=env, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        while process.poll() is None and not _is_alive(url):
            pass
        yield process, url
    finally:
        process.kill()
        process.wait()


def _is_alive(url: str) -> bool:
    try:
        return httpx.get(f"{url}/livez", verify=False, timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def _age(engine: Engine, **columns: datetime) -> None:
    with transaction(engine) as session:
        session.execute(update(IdempotencyRecord).values(**columns))


def test_an_answer_is_forgotten_after_a_day(api: RunningApi, creator: User, engine: Engine) -> None:
    client = api.client(creator)
    first = upload(client, "one")
    _age(engine, created_at=datetime.now(UTC) - timedelta(hours=23))
    assert upload(client, "one").json() == first.json()
    _age(engine, created_at=datetime.now(UTC) - timedelta(hours=24, seconds=1))
    second = upload(client, "one", size_bytes=11)
    assert second.status_code == 201
    assert second.json()["id"] != first.json()["id"]


def test_what_was_decided_about_the_request_is_kept_and_refusals_of_the_caller_are_not(
    api: RunningApi, make_user: MakeUser, engine: Engine
) -> None:
    fan = make_user()
    client = api.client(fan)
    assert upload(client, "refused").json()["code"] == "creators_only"
    with transaction(engine) as session:
        session.get_one(User, fan.id).role = Role.CREATOR
    assert upload(client, "refused").status_code == 201
    broken = [upload(client, "broken", size_bytes=-1) for _ in range(2)]
    assert [each.status_code for each in broken] == [422, 422]
    assert broken[1].headers[REPLAYED] == "true"


def test_faults_of_ours_are_not_kept(start_api: StartApi, creator: User, engine: Engine) -> None:
    nowhere = start_api(s3_endpoint="http://127.0.0.1:1")
    large = {"size_bytes": 40 * 1024 * 1024}
    assert upload(nowhere.client(creator), "one", **large).status_code == 503
    assert records(engine) == []


def test_without_the_database_a_request_with_a_key_is_told_to_come_again(
    start_api: StartApi, creator: User
) -> None:
    api = start_api(database_url="postgresql+psycopg://nobody@127.0.0.1:1/none")
    answer = upload(api.client(creator), "one")
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    assert answer.headers["retry-after"].isdecimal()


def test_a_session_that_was_ended_gets_no_stored_answer(
    api: RunningApi, creator: User, engine: Engine
) -> None:
    now = datetime.now(UTC)
    sign_in = AuthSession(id=new_id(), user_id=creator.id, expires_at=now + timedelta(days=1))
    with transaction(engine) as session:
        session.add(sign_in)
    token = TokenKeys(api.settings).mint(creator.id, session_id=sign_in.id)
    client = api.client(token=token)
    assert upload(client, "one").status_code == 201
    with transaction(engine) as session:
        session.get_one(AuthSession, sign_in.id).revoked_at = now
    assert upload(client, "one").status_code == 401


def test_answers_that_carry_tokens_are_not_kept(api: RunningApi, engine: Engine) -> None:
    body = {"email": "ada@example.com", "password": "not the right one"}
    headers = {"idempotency-key": "one"}
    answers = [api.client().post("/api/v1/auth/login", json=body, headers=headers)]
    answers.append(api.client().post("/api/v1/auth/refresh", json={}, headers=headers))
    assert all(REPLAYED not in each.headers for each in answers)
    assert records(engine) == []


@pytest.mark.parametrize("key", ["", "with space", "ü".encode().decode("latin-1"), "x" * 256])
def test_a_key_is_a_short_visible_text(api: RunningApi, creator: User, key: str) -> None:
    headers = {b"idempotency-key": key.encode("latin-1")}
    answer = api.client(creator).post(UPLOADS, json=WISH, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_invalid")


def test_a_body_over_the_limit_is_refused_with_a_key_too(
    start_api: StartApi, creator: User
) -> None:
    client = start_api(api_body_bytes_max=100).client(creator)

    def chunks() -> Iterator[bytes]:
        yield b'{"file_name": "'
        yield b"x" * 200

    answer = client.post(UPLOADS, content=chunks(), headers={"idempotency-key": "one"})
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
