"""Starting runs for rows that are already committed.

A start that fails is not an error of the request: the row says what has to happen, and a sweep
starts what was left unstarted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog
from temporalio.service import RPCError

TEMPORAL_SECONDS = 3.0
"""A server that answers at all answers within milliseconds."""

TEMPORAL_FAULTS = (RPCError, RuntimeError, TimeoutError)
"""RuntimeError is what the client raises when it can't connect."""

log = structlog.get_logger(__name__)


async def begun(start: Coroutine[Any, Any, str], *, what: str, **ids: str) -> bool:
    """Await the start of a run; False where the sweep will have to.

    Args:
        what: `ingest`, `deletion` …; for the log, with `ids`.
    """
    try:
        async with asyncio.timeout(TEMPORAL_SECONDS):
            await start
    except TEMPORAL_FAULTS as error:
        log.warning(f"{what}_left_to_sweep", why=str(error) or "time-out", **ids)
        return False
    return True
