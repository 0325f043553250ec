"""A database for each test worker, cloned from one that the migrations made."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Connection, Engine, event
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session

from infra.db import make_async_engine, make_engine
from infra.migrations import upgrade
from infra.models import Base
from infra.settings import Settings

TEMPLATE = "migrated_template"
LOCK_KEY = 0x74656D70


def clone_template(url: str, name: str) -> str:
    """Make the database `name` of this server anew from the migrated template.

    Args:
        url: any database of the server, as SQLAlchemy takes it.

    Returns:
        The URL of the new database.
    """
    server = url.rpartition("/")[0]
    plain = server.replace("postgresql+psycopg://", "postgresql://", 1)
    with psycopg.connect(f"{plain}/postgres", autocommit=True) as connection:
        # A template may have no connections while it is copied, so: one worker at a time.
        connection.execute("SELECT pg_advisory_lock(%s)", [LOCK_KEY])
        found = connection.execute(
            "SELECT 1 FROM pg_database WHERE datname = %s", [TEMPLATE]
        ).fetchone()
        if found is None:
            draft = f"{TEMPLATE}_draft"
            _run(connection, "DROP DATABASE IF EXISTS {}", draft)
            _run(connection, "CREATE DATABASE {}", draft)
            upgrade(f"{server}/{draft}")
            _run(connection, "ALTER DATABASE {} RENAME TO {}", draft, TEMPLATE)
        _run(connection, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
        _run(connection, "CREATE DATABASE {} TEMPLATE {}", name, TEMPLATE)
    return f"{server}/{name}"


def _run(connection: psycopg.Connection, statement: str, *names: str) -> None:
    connection.execute(sql.SQL(statement).format(*(sql.Identifier(name) for name in names)))


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


def empty_tables(engine: Engine) -> None:
    """Delete every row, the audit log's too, whose trigger is set aside as a replica does.

    On tables as small as a test's, DELETE costs a tenth of TRUNCATE.
    """
    tables = "".join(f"DELETE FROM {table.name};" for table in Base.metadata.sorted_tables)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "SET LOCAL lock_timeout = '10s'; SET LOCAL session_replication_role = replica;" + tables
        )


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
