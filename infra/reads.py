"""Reads of the API: one statement, one round trip, no transaction.

A raw psycopg pool in autocommit: on a hot route SQLAlchemy's session costs as much again as
the statement itself. Writes go through `infra.db.async_transaction`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from time import perf_counter
from typing import Any

import orjson
import psycopg
import structlog
from psycopg.types.json import set_json_loads
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout

from domain.errors import Unavailable
from infra.metrics.measures import database_wait_seconds
from infra.settings import Settings

POOL = "fansworld-api-reads"
CONNECT_SECONDS = 2
WAIT_SECONDS = 2.0
"""For a free connection; a queue that long means that Postgres is not keeping up."""

STATEMENTS_MAX = 500
_PLACEHOLDER = re.compile(rb"%\((?P<name>\w+)\)s|%%")

Row = tuple[Any, ...]
log = structlog.get_logger(__name__)


class ReadPool:
    """Connections for statements that change nothing. Open it in the application's lifespan.

    Every method raises `Unavailable` when Postgres can't be reached.
    """

    def __init__(self, settings: Settings) -> None:
        self._pool = AsyncConnectionPool(
            settings.psycopg_url,
            min_size=1,
            max_size=settings.database_pool_size,
            timeout=WAIT_SECONDS,
            open=False,
            name="reads",
            configure=_configure,
            kwargs={
                "autocommit": True,
                "connect_timeout": CONNECT_SECONDS,
                "application_name": POOL,
            },
        )

    async def open(self) -> None:
        """Start connecting; does not wait, so that the API comes up before Postgres does."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        await self._pool.close()

    async def fetch_one(self, sql: bytes, params: Mapping[str, Any]) -> Row | None:
        rows = await self.fetch_all(sql, params)
        return rows[0] if rows else None

    async def fetch_all(self, sql: bytes, params: Mapping[str, Any]) -> list[Row]:
        try:
            return await self._fetch(sql, params)
        except psycopg.OperationalError as error:
            # Postgres was restarted under idle connections. Nothing was changed, so the
            # statement may run again once those are replaced.
            log.info("database_read_repeated", why=str(error).strip())
        try:
            await self._pool.check()
            return await self._fetch(sql, params)
        except psycopg.OperationalError as error:
            raise Unavailable(
                "The database did not answer.", code="database_unavailable"
            ) from error

    async def _fetch(self, sql: bytes, params: Mapping[str, Any]) -> list[Row]:
        try:
            begun = perf_counter()
            async with self._pool.connection() as connection:
                database_wait_seconds.observe(perf_counter() - begun, pool=POOL)
                text, names = _numbered(sql)
                cursor = await connection.execute(text, [params[name] for name in names])
                return await cursor.fetchall()
        except (PoolTimeout, PoolClosed) as error:
            raise Unavailable(
                "The database did not answer.", code="database_unavailable"
            ) from error


@lru_cache(STATEMENTS_MAX)
def _numbered(sql: bytes) -> tuple[bytes, tuple[str, ...]]:
    """The statement as Postgres takes it, with `$1` for `%(name)s`, and the names in order.

    psycopg does the same for each execution of a statement of more than 4 kB, and our longest
    are the ones that are executed most.
    """
    names: dict[str, int] = {}

    def number(found: re.Match[bytes]) -> bytes:
        if found[0] == b"%%":
            return b"%"
        place = names.setdefault(found["name"].decode(), len(names) + 1)
        return b"$%d" % place

    return _PLACEHOLDER.sub(number, sql), tuple(names)


async def _configure(connection: psycopg.AsyncConnection[Row]) -> None:
    set_json_loads(orjson.loads, connection)
    connection.cursor_factory = psycopg.AsyncRawCursor
