from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.accounts import Role
from domain.posts import Audience
from domain.unlocks.terms import UnlockTerms
from infra.db import async_transaction
from infra.queries.unlocks.buying import Wish, begin_unlock
from tests.harness.posts import write_post
from tests.harness.rows import MakeUser

NOW = datetime(2030, 1, 1, tzinfo=UTC)


async def test_one_connection_begins_as_many_purchases_as_there_are_wishes(
    engine: Engine, async_engine: AsyncEngine, make_user: MakeUser
) -> None:
    """From the sixth time on the driver has the statement prepared."""
    fan, creator = make_user(), make_user(role=Role.CREATOR)
    post = write_post(engine, creator, audience=Audience.PAID.value)
    wish = Wish(
        fan_id=fan.id,
        creator_id=creator.id,
        post_id=post.id,
        terms=UnlockTerms(500, 0, "USD"),
        payment_method_id="pm_1",
        at=NOW,
    )
    begun = set()
    for _ in range(12):
        async with async_transaction(async_engine) as session:
            begun.add((await begin_unlock(session, wish)).id)
    assert len(begun) == 1
