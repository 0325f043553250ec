"""A client as apps should be: what has no answer is sent again, the same, until it has one."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import httpx2

from devstack.client import ApiClient, JsonObject, Problem

PATIENCE_SECONDS = 90.0
"""What nobody has begun is begun by a sweep, which gives whoever accepted it a minute."""
PAUSE_SECONDS = 0.25
ANSWER_SECONDS = 15.0
UNDER_WAY = "idempotency_in_flight"


class Unanswered(Exception):
    """Nobody has answered in all that time: it was never acknowledged, so it can't be lost."""


class Asking:
    """One person's view of the API."""

    def __init__(self, client: ApiClient, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self.client = client
        self._patience_seconds = patience_seconds

    async def __call__(
        self,
        method: str,
        path: str,
        body: JsonObject | None = None,
        *,
        key: str | None = None,
        if_done: tuple[int, ...] = (),
    ) -> Any:
        """One call, sent again with the same key where it has no answer, or one from 500 on.

        Args:
            if_done: what a repeat is answered with where the first one has done it already;
                then None is returned.

        Raises:
            Problem: it was refused.
            Unanswered: patience is over.
        """
        deadline = time.monotonic() + self._patience_seconds
        was_sent = False
        while True:
            try:
                return await self.client.call(method, path, body, key=key)
            except Problem as problem:
                if was_sent and problem.status in if_done:
                    return None
                if not _is_passing(problem):
                    raise
                said = str(problem)
            except (httpx2.HTTPError, json.JSONDecodeError) as error:
                said = type(error).__name__
            was_sent = True
            if time.monotonic() > deadline:
                raise Unanswered(f"{method} {path}: {said}")
            await asyncio.sleep(PAUSE_SECONDS)

    async def until_sent(self, upload: JsonObject, content: bytes) -> None:
        """Put the bytes of an upload into storage, again where it does not take them."""
        deadline = time.monotonic() + self._patience_seconds
        while True:
            try:
                return await self.client.send(upload, content)
            except httpx2.HTTPError as error:
                if time.monotonic() > deadline:
                    raise Unanswered(f"storage: {type(error).__name__}") from error
            await asyncio.sleep(PAUSE_SECONDS)

    async def until(self, path: str, field: str, value: Any) -> JsonObject:
        """Ask until a field of the answer is so; see `until_so`."""
        return await self.until_so(path, lambda answer: bool(answer[field] == value))

    async def until_so(self, path: str, fits: Callable[[JsonObject], bool]) -> JsonObject:
        """Ask until the answer fits.

        Raises:
            Unanswered: it does not in all that time.
        """
        deadline = time.monotonic() + self._patience_seconds
        while True:
            answer: JsonObject = await self("GET", path)
            if fits(answer):
                return answer
            if time.monotonic() > deadline:
                raise Unanswered(f"{path} stays {answer}")
            await asyncio.sleep(PAUSE_SECONDS)


def _is_passing(problem: Problem) -> bool:
    return problem.status >= 500 or problem.status == 429 or problem.code == UNDER_WAY
