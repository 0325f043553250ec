"""Operations on several things at once, with a result for each."""

from __future__ import annotations

import socket
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2 as httpx
import pytest
from sqlalchemy import Engine

from api.contract.bulk import AT_A_TIME
from api.starting import TEMPORAL_SECONDS
from domain.accounts import Role
from infra.db import transaction
from infra.ids import new_id
from infra.models import Media, User
from tests.e2e.api.published import Publisher
from tests.harness.api import RunningApi, StartApi
from tests.harness.posts import MakePost
from tests.harness.rows import MakeUser

MEDIA = "/api/v1/media"
POSTS = "/api/v1/posts"


@pytest.fixture
def creator(make_user: MakeUser) -> User:
    return make_user(role=Role.CREATOR)


def batch(client: httpx.Client, operation: str, ids: list[str], **wish: Any) -> httpx.Response:
    return client.post(f"{MEDIA}:{operation}", json={"media_ids": ids, **wish})


def row(engine: Engine, media_id: str) -> Media:
    with transaction(engine) as session:
        return session.get_one(Media, media_id)


def test_each_succeeds_or_fails_by_itself_and_in_the_order_asked(
    api: RunningApi, creator: User, make_user: MakeUser, publish: Publisher, engine: Engine
) -> None:
    first, last = publish.image(creator), publish.image(creator)
    theirs, unknown = publish.image(make_user(role=Role.CREATOR)), new_id()
    ids = [first.id, theirs.id, unknown, last.id]
    answer = batch(api.client(creator), "batchEdit", ids, visibility="public")
    assert answer.status_code == 200
    results = answer.json()["data"]
    assert [(each["id"], each["status"]) for each in results] == list(
        zip(ids, (200, 403, 404, 200), strict=True)
    )
    assert [(each["problem"] or {}).get("code") for each in results] == [
        None,
        "not_owner",
        "media_not_found",
        None,
    ]
    assert results[1]["problem"]["instance"] == f"{MEDIA}/{theirs.id}"
    assert results[1]["problem"]["request_id"] == answer.headers["x-request-id"]
    states = [row(engine, media.id).visibility for media in (first, theirs, last)]
    assert states == ["public", "gated", "public"]


def test_an_edit_in_a_batch_counts_as_one(
    api: RunningApi, creator: User, publish: Publisher
) -> None:
    media, client = publish.image(creator), api.client(creator)
    before = client.get(f"{MEDIA}/{media.id}").headers["etag"]
    batch(client, "batchEdit", [media.id], visibility="private")
    late = client.patch(f"{MEDIA}/{media.id}", json={"title": "late"}, headers={"if-match": before})
    assert late.status_code == 412


def test_what_is_deleted_in_a_batch_is_gone_at_once(
    api: RunningApi, creator: User, publish: Publisher
) -> None:
    media = [publish.image(creator) for _ in range(6)]
    client = api.client(creator)
    ids = [each.id for each in media]
    results = batch(client, "batchDelete", [*ids, ids[0]]).json()["data"]
    assert [(each["id"], each["status"]) for each in results] == [(each, 202) for each in ids]
    assert client.get(MEDIA).json()["data"] == []
    again = batch(client, "batchDelete", ids[:1]).json()["data"]
    assert [each["status"] for each in again] == [404]


def test_posts_are_deleted_each_by_itself_and_in_the_order_asked(
    api: RunningApi, creator: User, make_user: MakeUser, make_post: MakePost
) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    first, last = make_post(creator), make_post(creator, state="scheduled", publish_at=later)
    theirs, kept = make_post(make_user(role=Role.CREATOR), audience="public"), make_post(creator)
    client, unknown = api.client(creator), new_id()
    ids = [first.id, theirs.id, unknown, last.id]
    answer = client.post(f"{POSTS}:batchDelete", json={"post_ids": [*ids, ids[0]]})
    results = answer.json()["data"]
    assert [(each["id"], each["status"]) for each in results] == list(
        zip(ids, (204, 404, 404, 204), strict=True)
    )
    codes = {(each["problem"] or {}).get("code") for each in results}
    assert codes == {None, "post_not_found"}
    assert results[1]["problem"]["instance"] == f"{POSTS}/{theirs.id}"
    assert [each["id"] for each in client.get("/api/v1/me/posts").json()["data"]] == [kept.id]
    assert api.client().get(f"{POSTS}/{theirs.id}").status_code == 200


def test_a_batch_with_a_key_counts_once(api: RunningApi, creator: User, publish: Publisher) -> None:
    media, client = publish.image(creator), api.client(creator)
    headers = {"idempotency-key": "one"}
    body = {"media_ids": [media.id]}
    answers = [client.post(f"{MEDIA}:batchDelete", json=body, headers=headers) for _ in range(2)]
    assert answers[0].content == answers[1].content
    assert answers[1].headers["idempotency-replayed"] == "true"


@pytest.mark.parametrize("ids", [[], ["not an id"], [new_id() for _ in range(101)]])
def test_a_batch_is_of_one_to_a_hundred_ids(api: RunningApi, creator: User, ids: list[str]) -> None:
    answer = batch(api.client(creator), "batchDelete", ids)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_without_the_database_each_item_says_so(start_api: StartApi, creator: User) -> None:
    api = start_api(database_url="postgresql+psycopg://nobody@127.0.0.1:1/none")
    [result] = batch(api.client(creator), "batchDelete", [new_id()]).json()["data"]
    assert (result["status"], result["problem"]["code"]) == (503, "database_unavailable")


def test_a_temporal_that_hangs_is_waited_for_once_and_not_for_each(
    start_api: StartApi, creator: User, publish: Publisher, engine: Engine
) -> None:
    ids = [publish.image(creator).id for _ in range(AT_A_TIME * 4)]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        api = start_api(temporal_address=f"127.0.0.1:{silent.getsockname()[1]}")
        begun = time.monotonic()
        answer = batch(api.client(creator), "batchDelete", ids)
        seconds = time.monotonic() - begun
    assert {each["status"] for each in answer.json()["data"]} == {202}
    assert {row(engine, media_id).state for media_id in ids} == {"deleted"}
    assert seconds < 2 * TEMPORAL_SECONDS, "the sweep begins the others"
