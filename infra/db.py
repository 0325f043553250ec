"""Engines and transactions.

The API uses the async engine, activities the sync one; both are psycopg 3. A transaction
is opened at the edge only, in a route or an activity, by `transaction(...)`; nothing below
the edge commits, and nothing calls S3, Temporal or another network part inside it.

Errors of either engine name the statement and hide its parameters, which are addresses and
hashes of passwords as well, and would be logged with the error.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from sqlalchemy import Engine, PoolProxiedConnection, create_engine, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import AsyncAdaptedQueuePool, QueuePool

from infra.metrics.measures import database_wait_seconds
from infra.settings import Settings


class _MeasuredPool(QueuePool):
    def connect(self) -> PoolProxiedConnection:
        with database_wait_seconds.timed(pool=str(self.logging_name)):
            return super().connect()


class _MeasuredAsyncPool(AsyncAdaptedQueuePool):
    def connect(self) -> PoolProxiedConnection:
        with database_wait_seconds.timed(pool=str(self.logging_name)):
            return super().connect()


def make_engine(settings: Settings, *, name: str = "fansworld-worker") -> Engine:
    """`name`: what the database shows of its connections."""
    return create_engine(
        settings.database_url,
        poolclass=_MeasuredPool,
        pool_logging_name=name,
        pool_size=settings.database_pool_size,
        max_overflow=settings.database_pool_size,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"application_name": name},
    )


def make_async_engine(settings: Settings) -> AsyncEngine:
    return create_async_engine(
        settings.database_url,
        poolclass=_MeasuredAsyncPool,
        pool_logging_name="fansworld-api",
        pool_size=settings.database_pool_size,
        max_overflow=settings.database_pool_size,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"application_name": "fansworld-api"},
    )


_SOON = text("SET LOCAL synchronous_commit TO off")
_DURABLY = text("SET LOCAL synchronous_commit TO DEFAULT")


@contextmanager
def transaction(engine: Engine, *, durable: bool = True) -> Iterator[Session]:
    """One transaction of an activity: commits at the end, rolls back on any exception.

    Args:
        durable: False where the loss of this one, with what came after it, costs nothing. Then
            the commit does not wait for the disk. Everybody sees it at once, a process of ours
            that dies loses none of it, and it is on the disk as soon as any later commit is
            that does wait: only a crash of the database may undo it, the last ones first.
    """
    with Session(engine, expire_on_commit=False) as session, session.begin():
        if not durable:
            session.execute(_SOON)
        yield session


def wait_for_disk(session: Session) -> None:
    """Make a transaction durable that was opened without: more came of it than was foreseen."""
    session.execute(_DURABLY)


@asynccontextmanager
async def async_transaction(
    engine: AsyncEngine, *, durable: bool = True
) -> AsyncIterator[AsyncSession]:
    """One transaction of a route: as `transaction`."""
    async with AsyncSession(engine, expire_on_commit=False) as session, session.begin():
        if not durable:
            await session.execute(_SOON)
        yield session
