"""What changes who may see what, heard from Postgres as it is committed.

Triggers (migration `access_changes`) notify with the id of a user: of a viewer whose rights,
follows, blocks, sessions or standing have changed, or of an owner whose posts, media, tiers or
regions have. A notification belongs to the transaction that made the change, so unlike a call
to a cache after the commit it can't be lost between the two.

A connection can die without a word. Therefore it is asked for a sign of life several times a
second, and whatever was remembered counts only while the last sign is less than a second old.
"""

from __future__ import annotations

import asyncio
import time

import psycopg
import structlog

from infra.settings import Settings

CHANNEL = "access_changed"
ALIVE_SECONDS = 1.0
"""Without a sign of life for so long nothing that was remembered counts."""
SIGN_EVERY_SECONDS = 0.3
RECONNECT_SECONDS = 1.0
USERS_MAX = 100_000
"""Users whose last change is kept; with more, everything counts as changed."""

log = structlog.get_logger(__name__)


class AccessChanges:
    """Numbers the changes in the order they are heard. Open it in the application's lifespan."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.psycopg_url
        self._last: dict[str, int] = {}
        self._alive_until = 0.0
        self._is_closing = False
        self._listening: asyncio.Task[None] | None = None
        self._unheard = 0
        """Number of the last moment at which changes may have been missed."""
        self.number = 0
        """Of the last change that was heard."""

    async def open(self) -> None:
        """Start listening; does not wait, so that the API comes up before Postgres does."""
        self._listening = asyncio.create_task(self._listen(), name="access-changes")

    async def close(self) -> None:
        """The loops look at `_is_closing` themselves: being cancelled can get lost below them,
        where a connection breaks while the driver cancels its query, for one."""
        self._is_closing = True
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait([self._listening])
            if not self._listening.cancelled():
                self._listening.result()

    @property
    def are_heard(self) -> bool:
        """Whether a change that was committed a second ago is known here."""
        return time.monotonic() < self._alive_until

    def none_since(self, number: int, user_id: str | None) -> bool:
        """Whether this user has not changed since `number` was read, nor may have unheard."""
        return self._unheard <= number and self._last.get(user_id or "", 0) <= number

    async def _listen(self) -> None:
        while not self._is_closing:
            try:
                await self._follow()
            except (OSError, psycopg.Error, TimeoutError) as error:
                # Postgres is away. Decisions are made anew each time until it is back.
                log.info("access_changes_unheard", why=f"{type(error).__name__}: {error}".strip())
            self._alive_until = 0.0
            if not self._is_closing:
                await asyncio.sleep(RECONNECT_SECONDS)

    async def _follow(self) -> None:
        connection = await psycopg.AsyncConnection.connect(
            self._url,
            autocommit=True,
            connect_timeout=2,
            application_name="fansworld-api-changes",
        )
        async with connection:
            await connection.execute(f"LISTEN {CHANNEL}")
            self._forget()
            while not self._is_closing:
                await self._hear(connection)

    async def _hear(self, connection: psycopg.AsyncConnection) -> None:
        """Ask for a sign of life, then take what is told until the next one is due."""
        async with asyncio.timeout(ALIVE_SECONDS):
            asked_at = time.monotonic()
            await connection.execute("SELECT 1")
        self._alive_until = asked_at + ALIVE_SECONDS
        async for notice in connection.notifies(timeout=SIGN_EVERY_SECONDS):
            self._note(notice.payload)

    def _note(self, user_id: str) -> None:
        if len(self._last) >= USERS_MAX:
            self._forget()
        self.number += 1
        self._last[user_id] = self.number

    def _forget(self) -> None:
        self.number += 1
        self._unheard = self.number
        self._last.clear()
