"""Reads of people: one statement each, whatever there is to tell."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from domain.access import Caller
from domain.accounts import Role
from domain.errors import Unauthenticated
from infra.db import transaction
from infra.ids import new_id
from infra.models import AuthSession
from infra.queries.creators.applying import own_application
from infra.queries.creators.following import list_followers, list_following
from infra.queries.creators.profiles import open_profile
from infra.queries.creators.searching import search_creators
from infra.queries.creators.settings import creator_settings
from infra.queries.users.blocks import list_blocked
from infra.queries.users.own import own_bootstrap, own_profile
from infra.queries.users.rights import list_rights
from infra.reads import ReadPool
from tests.e2e.api.people import block_row, follow_row
from tests.harness.rows import Entitle, MakeUser
from tests.integration.api.test_access_queries import CountedReads, reads

__all__ = ["reads"]
NOW = datetime.now(UTC)
READS: dict[str, Callable[[ReadPool, Caller], Awaitable[object]]] = {
    "me": lambda reads, caller: own_profile(reads, caller=caller, now=NOW),
    "bootstrap": lambda reads, caller: own_bootstrap(reads, caller=caller, now=NOW),
    "profile": lambda reads, caller: open_profile(reads, caller=caller, handle="mia", now=NOW),
    "search": lambda reads, caller: search_creators(
        reads, caller=caller, query="mia", after=None, limit=20
    ),
    "blocks": lambda reads, caller: list_blocked(reads, caller=caller, after=None, limit=20),
    "rights": lambda reads, caller: list_rights(
        reads, caller=caller, now=NOW, after=None, limit=20
    ),
    "following": lambda reads, caller: list_following(reads, caller=caller, after=None, limit=20),
    "followers": lambda reads, caller: list_followers(reads, caller=caller, after=None, limit=20),
    "settings": lambda reads, caller: creator_settings(reads, caller),
}
EACH = pytest.mark.parametrize("read", READS.values(), ids=READS.keys())


@EACH
async def test_one_statement_is_enough(
    reads: CountedReads,
    make_user: MakeUser,
    entitle: Entitle,
    engine: Engine,
    read: Callable[[ReadPool, Caller], Awaitable[object]],
) -> None:
    creator, viewer = make_user(role=Role.CREATOR, handle="mia"), make_user(role=Role.CREATOR)
    for _ in range(5):
        fan = make_user()
        follow_row(engine, fan, viewer)
        block_row(engine, viewer, make_user())
        entitle(viewer, creator_id=creator.id)
    follow_row(engine, viewer, creator)
    await read(reads, Caller(viewer.id))
    assert reads.statements == 1


@pytest.mark.parametrize(
    "read", [*READS.values(), own_application], ids=[*READS.keys(), "application"]
)
async def test_a_session_that_was_ended_reads_nothing(
    reads: CountedReads,
    make_user: MakeUser,
    engine: Engine,
    read: Callable[[ReadPool, Caller], Awaitable[object]],
) -> None:
    viewer = make_user(role=Role.CREATOR, handle="mia")
    session_id = new_id()
    with transaction(engine) as session:
        session.add(AuthSession(id=session_id, user_id=viewer.id, expires_at=NOW, revoked_at=NOW))
    for unknown in (session_id, new_id()):
        with pytest.raises(Unauthenticated):
            await read(reads, Caller(viewer.id, unknown))
