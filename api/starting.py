"""Starting runs for rows that are already committed.

A start that fails is not an error of the request: the row says what has to happen, and a sweep
starts what was left unstarted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, TypeVar

import structlog
from temporalio.client import WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.service import RPCError, RPCStatusCode

from infra.settings import Settings

TEMPORAL_SECONDS = 3.0
"""A server that answers at all answers within milliseconds."""

OUTAGE_SECONDS = 5.0
"""For so long it is not asked again."""

TEMPORAL_FAULTS = (RPCError, RuntimeError, TimeoutError)
"""RuntimeError is what the client raises when it can't connect."""

T = TypeVar("T")

log = structlog.get_logger(__name__)


class RunStarter:
    """One for each event loop. A server that was away is left alone for a moment, so that a
    request for many things, or many requests, wait for it once and not each in turn."""

    def __init__(self, settings: Settings) -> None:
        self._retry_at = 0.0
        self.patience = timedelta(seconds=settings.run_patience_seconds)
        """How long somebody is let wait for what a run has to say. Then it is told later: the
        run goes on, and its row says how it stands."""

    async def begin(self, start: Coroutine[Any, Any, str], *, what: str, **ids: str) -> bool:
        """Await the start of a run; False where the sweep will have to.

        Args:
            what: `ingest`, `deletion` …; for the log, with `ids`.
        """
        return await self._attempt(start, TEMPORAL_SECONDS, what, ids) is not None

    async def hear(self, update: Coroutine[Any, Any, T], *, what: str, **ids: str) -> T | None:
        """Await what a run has to say, which the call itself gives up after `patience`;
        None where it has nothing to say yet, or can't be asked.

        The row says then how things stand, and the sweep sees to it that there is a run.
        """
        try:
            return await self._attempt(
                update, self.patience.total_seconds() + TEMPORAL_SECONDS, what, ids
            )
        except WorkflowUpdateFailedError as error:
            log.warning(f"{what}_not_heard", why=str(error.cause), **ids)
            return None

    async def _attempt(
        self, call: Coroutine[Any, Any, T], seconds: float, what: str, ids: dict[str, str]
    ) -> T | None:
        if time.monotonic() < self._retry_at:
            call.close()
            log.warning(f"{what}_left_to_sweep", why="away a moment ago", **ids)
            return None
        try:
            async with asyncio.timeout(seconds):
                return await call
        except WorkflowUpdateRPCTimeoutOrCancelledError:
            log.info(f"{what}_goes_on", **ids)
        except TEMPORAL_FAULTS as error:
            log.warning(f"{what}_left_to_sweep", why=str(error) or "time-out", **ids)
            if _is_away(error):
                self._retry_at = time.monotonic() + OUTAGE_SECONDS
        return None


def _is_away(error: BaseException) -> bool:
    """Not that it refused this one start."""
    return not isinstance(error, RPCError) or error.status in (
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.DEADLINE_EXCEEDED,
    )
