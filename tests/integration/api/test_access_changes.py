"""Remembered decisions: whatever ends a right, ends what is remembered of it within a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, text

from domain.access import Caller, Decision
from domain.accounts import Role
from domain.errors import Unauthenticated
from infra.access_changes import AccessChanges
from infra.db import transaction
from infra.ids import new_id
from infra.models import AuthSession, Media, Post, PostMedia, Tier, User
from infra.queries.access import RememberedDecisions
from infra.reads import ReadPool, Row
from infra.settings import Settings
from tests.harness.rows import Entitle, MakeMedia, MakeUser

WITHIN_SECONDS = 1.0
LONG_SECONDS = 3600


class CountedReads(ReadPool):
    statements = 0

    async def _fetch(self, sql: bytes, params: Mapping[str, Any]) -> list[Row]:
        self.statements += 1
        return await super()._fetch(sql, params)


@dataclass
class Case:
    """A fan with a right on a creator's media, which a post for the tier `gold` carries."""

    fan: User
    creator: User
    media: Media
    caller: Caller


@dataclass
class Remembering:
    reads: CountedReads
    changes: AccessChanges
    decisions: RememberedDecisions

    async def decide(self, caller: Caller, media_id: str) -> Decision:
        [decision] = await self.decisions.decide_many(
            caller=caller, media_ids=[media_id], now=datetime.now(UTC)
        )
        return decision

    async def until_heard(self) -> None:
        async with asyncio.timeout(5):
            while not self.changes.are_heard:
                await asyncio.sleep(0.01)

    async def until_remembered(self, case: Case) -> None:
        """Until the news of how the case was made have been heard, and it is remembered."""
        async with asyncio.timeout(5):
            asked = -1
            while asked != self.reads.statements:
                asked = self.reads.statements
                assert (await self.decide(case.caller, case.media.id)).allowed
                await asyncio.sleep(0.02)


@pytest.fixture
async def remembering(settings: Settings, engine: Engine) -> AsyncIterator[Remembering]:
    del engine  # Asked for, because it empties the tables.
    reads, changes = CountedReads(settings), AccessChanges(settings)
    await reads.open()
    await changes.open()
    made = Remembering(
        reads, changes, RememberedDecisions(reads, changes, ttl_seconds=LONG_SECONDS)
    )
    await made.until_heard()
    yield made
    await changes.close()
    await reads.close()


@pytest.fixture
def case(engine: Engine, make_user: MakeUser, make_media: MakeMedia, entitle: Entitle) -> Case:
    fan, creator = make_user(), make_user(role=Role.CREATOR)
    media = make_media(owner=creator, state="ready", visibility="private")
    tier_id, post_id, session_id = new_id(), new_id(), new_id()
    now = datetime.now(UTC)
    with transaction(engine) as session:
        tier = Tier(
            id=tier_id, creator_id=creator.id, name="gold", rank=2, price_minor=1, currency="USD"
        )
        post = Post(
            id=post_id,
            creator_id=creator.id,
            state="published",
            audience="tier",
            tier_id=tier_id,
            published_at=now,
        )
        signed_in = AuthSession(id=session_id, user_id=fan.id, expires_at=now + timedelta(days=1))
        session.add_all([tier, signed_in])
        session.flush()
        session.add(post)
        session.flush()
        session.add(PostMedia(post_id=post_id, media_id=media.id, position=0))
    entitle(fan, creator_id=creator.id, source="subscription", tier_id=tier_id)
    return Case(fan, creator, media, Caller(fan.id, session_id, "DE"))


ENDINGS: dict[str, str] = {
    "the right is revoked": "UPDATE entitlements SET revoked_at = now() WHERE fan_id = :fan",
    "the right is shortened": "UPDATE entitlements SET expires_at = now() WHERE fan_id = :fan",
    "the right is deleted": "DELETE FROM entitlements WHERE fan_id = :fan",
    "the creator blocks the fan": "INSERT INTO blocks VALUES (:creator, :fan)",
    "the fan blocks the creator": "INSERT INTO blocks VALUES (:fan, :creator)",
    "the region is closed": "UPDATE creators SET blocked_countries = '{DE}' "
    "WHERE user_id = :creator",
    "the creator is suspended": "UPDATE users SET suspended_at = now() WHERE id = :creator",
    "the media is held": "UPDATE media SET state = 'held' WHERE owner_id = :creator",
    "the post is deleted": "UPDATE posts SET state = 'deleted' WHERE creator_id = :creator",
    "the post is taken down": "UPDATE posts SET state = 'taken_down', taken_down_at = now(), "
    "taken_down_reason = 'rule 3' WHERE creator_id = :creator",
    "the post is sold instead": "UPDATE posts SET audience = 'paid', tier_id = NULL, "
    "price_minor = 5, currency = 'USD' WHERE creator_id = :creator",
    "the post drops the media": "DELETE FROM post_media USING posts p "
    "WHERE p.id = post_id AND p.creator_id = :creator",
    "the tier's subscribers fall below": "UPDATE tiers SET rank = 1 WHERE creator_id = :creator; "
    "UPDATE entitlements SET tier_id = NULL WHERE fan_id = :fan; "
    "UPDATE tiers SET rank = 3 WHERE creator_id = :creator",
    "the session is ended": "UPDATE auth_sessions SET revoked_at = now() WHERE user_id = :fan",
    "the fan is suspended": "UPDATE users SET suspended_at = now() WHERE id = :fan",
}


@pytest.mark.parametrize("ending", ENDINGS)
async def test_what_ends_a_right_is_known_within_a_second(
    remembering: Remembering, case: Case, engine: Engine, ending: str
) -> None:
    await remembering.until_remembered(case)
    with engine.begin() as connection:
        for statement in ENDINGS[ending].split(";"):
            names = {"fan": case.fan.id, "creator": case.creator.id}
            used = {name: value for name, value in names.items() if f":{name}" in statement}
            connection.execute(text(statement), used)
    ended_at = time.monotonic()
    while await _is_open(remembering, case):
        assert time.monotonic() - ended_at < WITHIN_SECONDS, ending
        await asyncio.sleep(0.005)


async def test_staff_without_their_second_factor_are_out_within_a_second(
    remembering: Remembering, case: Case, engine: Engine, make_user: MakeUser
) -> None:
    now = datetime.now(UTC)
    signed_in = AuthSession(
        id=new_id(),
        user_id=make_user(role=Role.MODERATOR).id,
        second_factor_at=now,
        expires_at=now + timedelta(days=1),
    )
    with transaction(engine) as session:
        session.add(signed_in)
    staff = replace(case, caller=Caller(signed_in.user_id, signed_in.id))
    await remembering.until_remembered(staff)
    with engine.begin() as connection:
        connection.execute(text("UPDATE auth_sessions SET second_factor_at = NULL"))
    ended_at = time.monotonic()
    while await _is_open(remembering, staff):
        assert time.monotonic() - ended_at < WITHIN_SECONDS
        await asyncio.sleep(0.005)


async def test_prices_of_offers_are_forgotten_when_the_discount_changes(
    remembering: Remembering, case: Case, engine: Engine
) -> None:
    await remembering.until_remembered(case)
    asked = remembering.reads.statements
    with engine.begin() as connection:
        connection.execute(text("UPDATE creators SET subscriber_discount_bps = 900"))
    changed_at = time.monotonic()
    while remembering.reads.statements == asked:
        assert time.monotonic() - changed_at < WITHIN_SECONDS
        await remembering.decide(case.caller, case.media.id)
        await asyncio.sleep(0.005)


async def _is_open(remembering: Remembering, case: Case) -> bool:
    try:
        return (await remembering.decide(case.caller, case.media.id)).allowed
    except Unauthenticated:
        return False


class HeldReads(ReadPool):
    """Has the answer, and keeps it until it is let go on."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.answered, self.goes_on = asyncio.Event(), asyncio.Event()

    async def _fetch(self, sql: bytes, params: Mapping[str, Any]) -> list[Row]:
        rows = await super()._fetch(sql, params)
        self.answered.set()
        await self.goes_on.wait()
        return rows


async def test_a_change_between_the_question_and_the_answer_is_not_remembered_over(
    remembering: Remembering, case: Case, engine: Engine, settings: Settings
) -> None:
    """The statement has seen the right; before its answer is kept, the right ends."""
    await remembering.until_remembered(case)
    number = remembering.changes.number
    held = HeldReads(settings)
    await held.open()
    decisions = RememberedDecisions(held, remembering.changes, ttl_seconds=LONG_SECONDS)

    async def decide() -> bool:
        [decision] = await decisions.decide_many(
            caller=case.caller, media_ids=[case.media.id], now=datetime.now(UTC)
        )
        return decision.allowed

    deciding = asyncio.create_task(decide())
    await held.answered.wait()
    with engine.begin() as connection:
        connection.execute(text("UPDATE entitlements SET revoked_at = now()"))
    async with asyncio.timeout(5):
        while remembering.changes.number == number:
            await asyncio.sleep(0.005)
    held.goes_on.set()
    assert await deciding, "it was, when it was asked"
    assert not await decide()
    await held.close()


async def test_nothing_is_remembered_while_changes_are_not_heard(
    remembering: Remembering, case: Case, engine: Engine
) -> None:
    await remembering.until_remembered(case)
    with psycopg.connect(
        engine.url.render_as_string(hide_password=False).replace("+psycopg", ""), autocommit=True
    ) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'fansworld-api-changes' AND datname = current_database()"
        )
    async with asyncio.timeout(2):
        while remembering.changes.are_heard:
            await asyncio.sleep(0.01)
    asked = remembering.reads.statements
    await remembering.decide(case.caller, case.media.id)
    await remembering.decide(case.caller, case.media.id)
    assert remembering.reads.statements == asked + 2
    await remembering.until_heard()
    await remembering.decide(case.caller, case.media.id)
    assert remembering.reads.statements == asked + 3, "what was kept before counts no more"


async def test_a_decision_is_not_remembered_beyond_its_end(
    remembering: Remembering, case: Case, engine: Engine
) -> None:
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE entitlements SET expires_at = now() + interval '300 milliseconds'")
        )
    decision = await remembering.decide(case.caller, case.media.id)
    assert decision.expires_at is not None
    while datetime.now(UTC) < decision.expires_at:
        await asyncio.sleep(0.01)
    assert not (await remembering.decide(case.caller, case.media.id)).allowed


async def test_a_decision_is_not_remembered_beyond_a_revocation_to_come(
    remembering: Remembering, case: Case, engine: Engine
) -> None:
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE entitlements SET revoked_at = now() + interval '300 milliseconds'")
        )
    decision = await remembering.decide(case.caller, case.media.id)
    assert decision.allowed
    assert decision.expires_at is not None
    while datetime.now(UTC) < decision.expires_at:
        await asyncio.sleep(0.01)
    assert not (await remembering.decide(case.caller, case.media.id)).allowed


async def test_what_is_locked_is_not_remembered_beyond_the_beginning_of_a_right(
    remembering: Remembering, case: Case, engine: Engine
) -> None:
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE entitlements SET starts_at = now() + interval '300 milliseconds'")
        )
    decision = await remembering.decide(case.caller, case.media.id)
    assert not decision.allowed
    assert decision.begins_at is not None
    while datetime.now(UTC) < decision.begins_at:
        await asyncio.sleep(0.01)
    assert (await remembering.decide(case.caller, case.media.id)).allowed


async def test_callers_do_not_share_what_is_remembered(
    remembering: Remembering, case: Case, make_user: MakeUser
) -> None:
    assert (await remembering.decide(case.caller, case.media.id)).allowed
    stranger = Caller(make_user().id)
    assert not (await remembering.decide(stranger, case.media.id)).allowed
    assert (await remembering.decide(Caller(None), case.media.id)).hidden


async def test_a_page_is_asked_for_by_what_is_missing_of_it(
    remembering: Remembering, case: Case, make_media: MakeMedia
) -> None:
    other = make_media(owner=case.creator, state="ready", visibility="gated")
    await remembering.until_remembered(case)
    asked = remembering.reads.statements
    first, second, again = await remembering.decisions.decide_many(
        caller=case.caller,
        media_ids=[case.media.id, other.id, case.media.id],
        now=datetime.now(UTC),
    )
    assert (first.allowed, second.allowed, again.allowed) == (True, True, True)
    assert remembering.reads.statements == asked + 1


class Lost(AccessChanges):
    """As the driver is where its connection is lost while it is being cancelled."""

    async def _hear(self, connection: psycopg.AsyncConnection) -> None:
        try:
            await super()._hear(connection)
        except asyncio.CancelledError:
            raise psycopg.OperationalError("the connection is lost") from None


class Deaf(AccessChanges):
    """As whatever forgets that it was cancelled."""

    async def _hear(self, connection: psycopg.AsyncConnection) -> None:
        with suppress(asyncio.CancelledError):
            await super()._hear(connection)


@pytest.mark.parametrize("kind", [AccessChanges, Lost, Deaf])
async def test_it_closes_even_where_being_cancelled_gets_lost(
    settings: Settings, kind: type[AccessChanges]
) -> None:
    changes = kind(settings)
    await changes.open()
    async with asyncio.timeout(5):
        while not changes.are_heard:
            await asyncio.sleep(0.01)
        await changes.close()
