"""Chains of refresh tokens: rotation, retries, theft, two requests at once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.auth import SessionEnd, SessionMode
from domain.errors import Unauthenticated
from infra.db import async_transaction
from infra.models import AuthSession, RefreshToken, User
from infra.queries.auth.sessions import (
    BegunSession,
    Rotation,
    begin_session,
    revoke_all,
    revoke_session,
    rotate,
)
from tests.harness.rows import MakeUser

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
GRACE = timedelta(seconds=10)
TTL = timedelta(days=30)


async def begin(engine: AsyncEngine, user: User) -> BegunSession:
    async with async_transaction(engine) as session:
        return await begin_session(
            session,
            user_id=user.id,
            mode=SessionMode.BEARER,
            methods=["pwd"],
            now=NOW,
            user_agent="curl/8",
            ip="192.0.2.1",
            second_factor_at=None,
            ttl=TTL,
        )


async def use(engine: AsyncEngine, token: str, *, seconds: float) -> Rotation:
    async with async_transaction(engine) as session:
        return await rotate(
            session,
            refresh_token=token,
            now=NOW + timedelta(seconds=seconds),
            grace=GRACE,
            ttl=TTL,
            ip="192.0.2.2",
        )


async def next_token(engine: AsyncEngine, token: str, *, seconds: float) -> str:
    rotation = await use(engine, token, seconds=seconds)
    assert rotation.begun is not None
    return rotation.begun.refresh_token


async def refusal(engine: AsyncEngine, token: str, *, seconds: float) -> str:
    with pytest.raises(Unauthenticated) as caught:
        await use(engine, token, seconds=seconds)
    return caught.value.code


async def end_of(engine: AsyncEngine, session_id: str) -> str | None:
    async with async_transaction(engine) as session:
        return (await session.get_one(AuthSession, session_id)).revoked_reason


async def test_each_use_gives_another_token_and_a_longer_life(
    async_engine: AsyncEngine, make_user: MakeUser
) -> None:
    begun = await begin(async_engine, make_user())
    tokens = [begun.refresh_token]
    for hours in (1, 2, 3):
        tokens.append(await next_token(async_engine, tokens[-1], seconds=hours * 3600))
    assert len(set(tokens)) == 4
    async with async_transaction(async_engine) as session:
        row = await session.get_one(AuthSession, begun.session_id)
        stored = (await session.scalars(select(RefreshToken.token_hash))).all()
    assert row.last_used_at == NOW + timedelta(hours=3)
    assert row.expires_at == NOW + timedelta(hours=3) + TTL
    assert row.ip is not None and str(row.ip) == "192.0.2.2"
    assert all(token.encode() not in hashes for token in tokens for hashes in stored)


async def test_a_retry_within_the_grace_gets_a_sibling(
    async_engine: AsyncEngine, make_user: MakeUser
) -> None:
    begun = await begin(async_engine, make_user())
    first = await next_token(async_engine, begun.refresh_token, seconds=100)
    sibling = await next_token(async_engine, begun.refresh_token, seconds=110)
    assert first != sibling
    await next_token(async_engine, sibling, seconds=700)


async def test_a_token_used_again_after_the_grace_ends_the_session_for_both(
    async_engine: AsyncEngine, make_user: MakeUser
) -> None:
    begun = await begin(async_engine, make_user())
    newest = await next_token(async_engine, begun.refresh_token, seconds=100)
    stolen = await use(async_engine, begun.refresh_token, seconds=110.001)
    assert stolen.begun is None
    assert await end_of(async_engine, begun.session_id) == SessionEnd.TOKEN_REUSED
    assert await refusal(async_engine, newest, seconds=120) == "session_ended"


async def test_theft_within_the_grace_is_found_at_the_next_refresh(
    async_engine: AsyncEngine, make_user: MakeUser
) -> None:
    begun = await begin(async_engine, make_user())
    owners = await next_token(async_engine, begun.refresh_token, seconds=100)
    thiefs = await next_token(async_engine, begun.refresh_token, seconds=105)
    await next_token(async_engine, owners, seconds=700)
    assert (await use(async_engine, thiefs, seconds=711)).begun is None
    assert await end_of(async_engine, begun.session_id) == SessionEnd.TOKEN_REUSED


async def test_a_thief_who_follows_each_refresh_within_the_grace_is_found_out(
    async_engine: AsyncEngine, make_user: MakeUser
) -> None:
    begun = await begin(async_engine, make_user())
    owners = thiefs = begun.refresh_token
    followed = 0
    for seconds in range(600, 6000, 600):
        owners = await next_token(async_engine, owners, seconds=seconds)
        rotation = await use(async_engine, thiefs, seconds=seconds + 3)
        if rotation.begun is None:
            break
        thiefs, followed = rotation.begun.refresh_token, followed + 1
    assert followed == 2
    assert await end_of(async_engine, begun.session_id) == SessionEnd.TOKEN_REUSED


async def test_a_client_that_retries_each_refresh_stays_signed_in(
    async_engine: AsyncEngine, make_user: MakeUser
) -> None:
    begun = await begin(async_engine, make_user())
    token = begun.refresh_token
    for seconds in range(600, 6000, 600):
        lost = await next_token(async_engine, token, seconds=seconds)
        token, sent = await next_token(async_engine, token, seconds=seconds + 3), token
        assert len({lost, token, sent}) == 3
    assert await end_of(async_engine, begun.session_id) is None


async def test_many_requests_with_one_token_at_once_all_succeed_and_end_nothing(
    async_engine: AsyncEngine, make_user: MakeUser
) -> None:
    begun = await begin(async_engine, make_user())
    got = await asyncio.gather(
        *(next_token(async_engine, begun.refresh_token, seconds=60) for _ in range(8))
    )
    assert len(set(got)) == 8
    async with async_transaction(async_engine) as session:
        tokens = (await session.scalars(select(RefreshToken))).all()
    assert sum(token.used_at is None for token in tokens) == 8
    assert await end_of(async_engine, begun.session_id) is None


async def test_siblings_used_at_once_do_not_lock_each_other_out(
    async_engine: AsyncEngine, make_user: MakeUser
) -> None:
    begun = await begin(async_engine, make_user())
    siblings = [
        await next_token(async_engine, begun.refresh_token, seconds=60 + each) for each in range(6)
    ]
    got = await asyncio.gather(
        *(next_token(async_engine, token, seconds=700) for token in siblings)
    )
    assert len(set(got)) == 6


async def test_what_is_no_live_token_is_refused(
    async_engine: AsyncEngine, make_user: MakeUser
) -> None:
    begun = await begin(async_engine, make_user())
    assert await refusal(async_engine, "nobody's", seconds=1) == "refresh_token_invalid"
    over = TTL.total_seconds()
    assert await refusal(async_engine, begun.refresh_token, seconds=over) == "session_ended"


@pytest.mark.parametrize("column", ["suspended_at", "deleted_at"])
async def test_a_shut_account_refreshes_nothing(
    async_engine: AsyncEngine, make_user: MakeUser, column: str
) -> None:
    user = make_user()
    begun = await begin(async_engine, user)
    async with async_transaction(async_engine) as session:
        setattr(await session.get_one(User, user.id), column, NOW)
    assert await refusal(async_engine, begun.refresh_token, seconds=1) == "session_ended"


async def test_one_session_or_all_others_are_revoked(
    async_engine: AsyncEngine, make_user: MakeUser
) -> None:
    user, other = make_user(), make_user()
    one, two, three = [await begin(async_engine, user) for _ in range(3)]
    theirs = await begin(async_engine, other)
    async with async_transaction(async_engine) as session:

        async def revoke(session_id: str) -> bool:
            return await revoke_session(
                session,
                user_id=user.id,
                session_id=session_id,
                reason=SessionEnd.REVOKED,
                now=NOW,
            )

        assert await revoke(one.session_id)
        assert not await revoke(one.session_id), "it has ended already"
        assert not await revoke(theirs.session_id), "it is somebody else's"
        ended = await revoke_all(
            session,
            user_id=user.id,
            reason=SessionEnd.SIGNED_OUT_EVERYWHERE,
            now=NOW,
            except_session_id=three.session_id,
        )
    assert ended == 1
    ends = [await end_of(async_engine, each.session_id) for each in (one, two, three, theirs)]
    assert ends == ["revoked", "signed_out_everywhere", None, None]
