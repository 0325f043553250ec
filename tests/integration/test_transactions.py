"""What a commit waits for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import Session

from infra.db import async_transaction, transaction, wait_for_disk
from infra.settings import Settings

WAITS = {"options": "-c synchronous_commit=on"}
"""As in production, whatever the tests' own database does by default."""


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    engine = create_engine(settings.database_url, connect_args=WAITS)
    yield engine
    engine.dispose()


def waits(session: Session | Connection) -> str:
    return str(session.scalar(text("SHOW synchronous_commit")))


def test_a_transaction_waits_for_the_disk_unless_its_loss_costs_nothing(engine: Engine) -> None:
    with transaction(engine) as session:
        assert waits(session) == "on"
    with transaction(engine, durable=False) as session:
        assert waits(session) == "off"
        wait_for_disk(session)
        assert waits(session) == "on"
    with transaction(engine, durable=False):
        pass
    with engine.connect() as connection:
        assert waits(connection) == "on", "it held for that transaction alone"


async def test_so_does_one_of_a_route(settings: Settings) -> None:
    engine = create_async_engine(settings.database_url, connect_args=WAITS)
    async with async_transaction(engine) as session:
        assert await session.scalar(text("SHOW synchronous_commit")) == "on"
    async with async_transaction(engine, durable=False) as session:
        assert await session.scalar(text("SHOW synchronous_commit")) == "off"
    await engine.dispose()
