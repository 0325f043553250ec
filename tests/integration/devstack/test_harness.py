"""The fixtures themselves: each test finds a share of the stack that is its own and empty."""

from __future__ import annotations

import pytest
from redis import Redis
from sqlalchemy import Engine, func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session
from temporalio.client import Client

from domain.accounts import Role
from infra.db import async_transaction, transaction
from infra.models import AuditEntry, Media, User
from infra.redis import make_valkey
from infra.settings import Settings
from infra.storage import Storage
from tests.harness.rows import Entitle, MakeMedia, MakeUser


def entry(action: str) -> AuditEntry:
    return AuditEntry(actor_name="a", action=action, subject_type="t", subject_id="1", detail={})


@pytest.mark.parametrize("turn", [1, 2])
def test_committed_rows_are_gone_in_the_next_test(
    engine: Engine, make_user: MakeUser, make_media: MakeMedia, entitle: Entitle, turn: int
) -> None:
    with transaction(engine) as session:
        assert session.scalar(select(func.count()).select_from(User)) == 0, turn
        assert session.scalar(select(func.count()).select_from(AuditEntry)) == 0
        session.add(entry("made"))
    creator = make_user(role=Role.CREATOR, handle="ada")
    media = make_media(owner=creator, file_name="x.png")
    entitle(make_user(), creator_id=creator.id, media_id=media.id)
    assert media.created_at is not None
    with transaction(engine) as session:
        assert session.get_one(Media, media.id).file_name == "x.png"


@pytest.mark.parametrize("turn", [1, 2])
def test_a_session_sees_its_own_commits_and_leaves_none(session: Session, turn: int) -> None:
    assert session.scalar(select(func.count()).select_from(AuditEntry)) == 0, turn
    session.add(entry("made"))
    session.commit()
    assert session.scalar(select(func.count()).select_from(AuditEntry)) == 1


@pytest.mark.parametrize("turn", [1, 2])
async def test_an_async_session_leaves_nothing(async_session: AsyncSession, turn: int) -> None:
    count = select(func.count()).select_from(AuditEntry)
    assert await async_session.scalar(count) == 0, turn
    async_session.add(entry("made"))
    await async_session.commit()


@pytest.mark.parametrize("turn", [1, 2])
async def test_an_async_engine_is_emptied(async_engine: AsyncEngine, turn: int) -> None:
    async with async_transaction(async_engine) as session:
        assert await session.scalar(select(func.count()).select_from(AuditEntry)) == 0, turn
        session.add(entry("made"))


def test_each_worker_has_a_database_of_its_own(engine: Engine, worker_name: str) -> None:
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT current_database()")) == f"test_{worker_name}"


@pytest.fixture
def somebody_wrote(settings: Settings) -> None:
    with make_valkey(settings) as client:
        client.set("key", "value")


@pytest.mark.usefixtures("somebody_wrote")
def test_valkey_is_empty_whatever_was_written_without_the_fixture(valkey: Redis) -> None:
    assert valkey.dbsize() == 0


def test_storage_has_this_workers_buckets(storage: Storage, settings: Settings) -> None:
    storage.put_bytes(settings.s3_bucket_media, "harness/one", b"bytes", content_type="text/plain")
    assert storage.read(settings.s3_bucket_media, "harness/one") == b"bytes"


async def test_temporal_answers_and_knows_the_search_attributes(temporal_client: Client) -> None:
    found = await temporal_client.count_workflows("NeedsAttention = true AND MediaId = 'none'")
    assert found.count == 0
