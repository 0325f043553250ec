"""Starting a run and hearing, in the same call, what it has to say."""

from __future__ import annotations

from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from temporalio.client import WithStartWorkflowOperation

T = TypeVar("T")


async def heard(call: Coroutine[Any, Any, T], start: WithStartWorkflowOperation[Any, Any]) -> T:
    """Await an update that starts its run. Where it fails, the start is let fail, too: its error
    would be told as one that nobody has looked at, long afterwards and as a fault of ours."""
    try:
        return await call
    except BaseException:
        with suppress(BaseException):
            await start.workflow_handle()
        raise
