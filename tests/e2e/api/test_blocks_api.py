"""Blocks, and the rights one holds: what they do to each other, and how they are listed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, select

from domain.accounts import Role
from infra.db import transaction
from infra.ids import new_id
from infra.models import Block, Creator, Follow, Tier, User
from tests.e2e.api.people import ME, Json, block_row, close, follow_row, refused, suspend
from tests.harness.api import RunningApi
from tests.harness.rows import Entitle, MakeUser

NOW = datetime.now(UTC)


def followers_of(engine: Engine, creator: User) -> tuple[int, int]:
    """As counted, and as there are."""
    with transaction(engine) as session:
        rows = session.scalars(select(Follow).where(Follow.creator_id == creator.id)).all()
        return session.get_one(Creator, creator.id).follower_count, len(rows)


def test_a_block_ends_follows_both_ways_and_a_repeat_changes_nothing(
    api: RunningApi, make_user: MakeUser, engine: Engine
) -> None:
    one, other = make_user(role=Role.CREATOR), make_user(role=Role.CREATOR)
    bystander = make_user()
    for fan, creator in ((one, other), (other, one), (bystander, one)):
        follow_row(engine, fan, creator)
    client = api.client(one)
    for _ in range(2):
        assert client.put(f"{ME}/blocks/{other.id}").status_code == 204
    assert followers_of(engine, one) == (1, 1)
    assert followers_of(engine, other) == (0, 0)
    for _ in range(2):
        assert client.delete(f"{ME}/blocks/{other.id}").status_code == 204
    assert client.get(f"{ME}/blocks").json()["data"] == []
    assert followers_of(engine, other) == (0, 0), "what was followed is not followed again"


def test_two_who_block_each_other_at_once_do_not_wait_for_each_other(
    api: RunningApi, make_user: MakeUser, engine: Engine
) -> None:
    one, other = make_user(role=Role.CREATOR), make_user(role=Role.CREATOR)
    follow_row(engine, one, other)
    follow_row(engine, other, one)
    calls = [(api.client(who), whom) for who, whom in ((one, other), (other, one)) * 4]
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda call: call[0].put(f"{ME}/blocks/{call[1].id}"), calls)
        assert {answer.status_code for answer in answers} == {204}
    assert followers_of(engine, one) == followers_of(engine, other) == (0, 0)
    with transaction(engine) as session:
        assert len(session.scalars(select(Block)).all()) == 2


def test_nobody_blocks_themselves_or_whom_there_is_not(
    api: RunningApi, make_user: MakeUser, engine: Engine
) -> None:
    fan, gone, away = make_user(), make_user(), make_user()
    unverified = make_user(email="tom@example.com")
    close(engine, gone)
    suspend(engine, away)
    client = api.client(fan)
    refused(client.put(f"{ME}/blocks/{fan.id}"), 422, "block_self")
    for user_id in (new_id(), gone.id, away.id, unverified.id):
        refused(client.put(f"{ME}/blocks/{user_id}"), 404, "user_not_found")
    assert client.delete(f"{ME}/blocks/{new_id()}").status_code == 204


def pages(api: RunningApi, user: User, path: str, limit: int) -> list[Json]:
    client, found, cursor = api.client(user), [], None
    while True:
        query = {"limit": limit} | ({"cursor": cursor} if cursor else {})
        page = client.get(f"{ME}{path}", params=query).json()
        found += page["data"]
        cursor = page["next_cursor"]
        assert page["has_more"] is (cursor is not None)
        if cursor is None:
            return found


def test_blocks_are_listed_the_newest_first_without_who_is_gone(
    api: RunningApi, make_user: MakeUser, engine: Engine
) -> None:
    fan, gone = make_user(), make_user()
    blocked = [make_user() for _ in range(5)]
    for each in (*blocked, gone):
        block_row(engine, fan, each)
    block_row(engine, blocked[0], fan)
    close(engine, gone)
    listed = [item["user"]["id"] for item in pages(api, fan, "/blocks", limit=2)]
    assert listed == [user.id for user in reversed(blocked)]


def test_live_rights_are_listed_page_by_page(
    api: RunningApi, make_user: MakeUser, entitle: Entitle, engine: Engine
) -> None:
    fan, creator = make_user(), make_user(role=Role.CREATOR, handle="mia")
    tier = new_id()
    with transaction(engine) as session:
        session.add(
            Tier(
                id=tier, creator_id=creator.id, name="Gold", rank=2, price_minor=900, currency="USD"
            )
        )
    live = [
        entitle(fan, creator_id=creator.id, source="subscription", tier_id=tier),
        entitle(fan, creator_id=creator.id, expires_at=NOW + timedelta(hours=1)),
        entitle(fan, creator_id=creator.id, revoked_at=NOW + timedelta(hours=1)),
    ]
    entitle(fan, creator_id=creator.id, expires_at=NOW - timedelta(hours=1))
    entitle(fan, creator_id=creator.id, revoked_at=NOW - timedelta(hours=1))
    entitle(fan, creator_id=creator.id, starts_at=NOW + timedelta(hours=1))
    entitle(make_user(), creator_id=creator.id)
    listed = pages(api, fan, "/entitlements", limit=2)
    assert [right["id"] for right in listed] == [right.id for right in reversed(live)]
    subscription = listed[-1]
    assert (subscription["source"], subscription["tier_name"]) == ("subscription", "Gold")
    assert subscription["creator"]["handle"] == "mia"


def test_rights_that_a_block_or_a_closed_account_stops_are_left_out(
    api: RunningApi, make_user: MakeUser, entitle: Entitle, engine: Engine
) -> None:
    fan = make_user()
    blocking, blocked, suspended, open_one = (make_user(role=Role.CREATOR) for _ in range(4))
    for creator in (blocking, blocked, suspended, open_one):
        entitle(fan, creator_id=creator.id)
    block_row(engine, blocking, fan)
    block_row(engine, fan, blocked)
    suspend(engine, suspended)
    [right] = pages(api, fan, "/entitlements", limit=5)
    assert right["creator"]["id"] == open_one.id
    assert api.client(fan).get(ME).json()["counts"]["entitlements"] == 1
