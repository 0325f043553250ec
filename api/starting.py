"""Starting runs for rows that are already committed.

A start that fails is not an error of the request: the row says what has to happen, and a sweep
starts what was left unstarted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

import structlog
from temporalio.service import RPCError, RPCStatusCode

TEMPORAL_SECONDS = 3.0
"""A server that answers at all answers within milliseconds."""

OUTAGE_SECONDS = 5.0
"""For so long it is not asked again."""

TEMPORAL_FAULTS = (RPCError, RuntimeError, TimeoutError)
"""RuntimeError is what the client raises when it can't connect."""

log = structlog.get_logger(__name__)


class RunStarter:
    """One for each event loop. A server that was away is left alone for a moment, so that a
    request for many things, or many requests, wait for it once and not each in turn."""

    def __init__(self) -> None:
        self._retry_at = 0.0

    async def begin(self, start: Coroutine[Any, Any, str], *, what: str, **ids: str) -> bool:
        """Await the start of a run; False where the sweep will have to.

        Args:
            what: `ingest`, `deletion` …; for the log, with `ids`.
        """
        if time.monotonic() < self._retry_at:
            start.close()
            log.warning(f"{what}_left_to_sweep", why="away a moment ago", **ids)
            return False
        try:
            async with asyncio.timeout(TEMPORAL_SECONDS):
                await start
        except TEMPORAL_FAULTS as error:
            log.warning(f"{what}_left_to_sweep", why=str(error) or "time-out", **ids)
            if _is_away(error):
                self._retry_at = time.monotonic() + OUTAGE_SECONDS
            return False
        return True


def _is_away(error: BaseException) -> bool:
    """Not that it refused this one start."""
    return not isinstance(error, RPCError) or error.status in (
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.DEADLINE_EXCEEDED,
    )
