"""A database for each test worker, cloned from one that the migrations made."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import Connection, Engine, event
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session

from devstack.databases import empty_tables
from infra.db import make_async_engine, make_engine
from infra.settings import Settings


@pytest.fixture(scope="session")
def worker_engine(settings: Settings) -> Iterator[Engine]:
    """Of the worker's database for the whole run. In tests, ask for `engine` instead."""
    engine = make_engine(settings)
    yield engine
    engine.dispose()


@pytest.fixture
def engine(worker_engine: Engine) -> Iterator[Engine]:
    """For code that commits by itself, as activities do. Every table is emptied afterwards."""
    yield worker_engine
    empty_tables(worker_engine)


@pytest.fixture
async def async_engine(settings: Settings, worker_engine: Engine) -> AsyncIterator[AsyncEngine]:
    """For code that commits by itself, as routes do. Every table is emptied afterwards."""
    made = make_async_engine(settings)
    yield made
    await made.dispose()
    empty_tables(worker_engine)


@pytest.fixture
def session(worker_engine: Engine) -> Iterator[Session]:
    """For code below the edge, which never commits: all of it is rolled back."""
    with worker_engine.connect() as connection:
        transaction = connection.begin()
        with Session(connection, join_transaction_mode="create_savepoint") as session:
            yield session
        transaction.rollback()


@pytest.fixture
async def async_session(settings: Settings) -> AsyncIterator[AsyncSession]:
    """As `session`, for async code."""
    engine = make_async_engine(settings)
    async with engine.connect() as connection:
        transaction = await connection.begin()
        async with AsyncSession(
            connection, join_transaction_mode="create_savepoint", expire_on_commit=False
        ) as session:
            yield session
        await transaction.rollback()
    await engine.dispose()


class StatementCount:
    """How many statements an engine sent: `with StatementCount(engine) as count: …`"""

    def __init__(self, engine: Engine | AsyncEngine) -> None:
        self._engine = engine.sync_engine if isinstance(engine, AsyncEngine) else engine
        self.statements: list[str] = []

    def __enter__(self) -> list[str]:
        event.listen(self._engine, "before_cursor_execute", self._note)
        return self.statements

    def __exit__(self, *_: object) -> None:
        event.remove(self._engine, "before_cursor_execute", self._note)

    def _note(
        self, _connection: Connection, _cursor: object, statement: str, *_rest: object
    ) -> None:
        self.statements.append(statement)
