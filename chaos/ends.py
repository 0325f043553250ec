"""Whether acknowledged work comes to its right end, and where an operator is asked for."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from temporalio.client import (
    Client,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.service import RPCError

from chaos.stage import RPC_TIMEOUT
from chaos.work import Work
from workflows.attention import OperatorChoice

POLL_SECONDS = 0.25
OPERATOR_SECONDS = 2.0
WAITING = "NeedsAttention = true AND ExecutionStatus = 'Running'"


@dataclass
class Ends:
    """How it went."""

    lost: list[str] = field(default_factory=list)
    """What, its run, and how it stands."""
    operator: list[str] = field(default_factory=list)
    """Steps that waited for an operator, and were tried again for them."""
    last_at: float = 0.0
    """When the last work was seen in its end, by the monotonic clock."""


async def await_ends(
    temporal: Client, works: Sequence[Work], *, queue: str, seconds: float
) -> Ends:
    """Watch until each is in its right end, or until time is over.

    Args:
        queue: of the workflows whose runs are looked after; others have operators of their own.
    """
    ends = Ends()
    deadline = time.monotonic() + seconds
    watching = asyncio.create_task(_attend(temporal, queue, ends))
    try:
        states = await asyncio.gather(*(_end_of(work, deadline, ends) for work in works))
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    for work, state in zip(works, states, strict=True):
        if state not in work.right:
            ends.lost.append(
                f"{work.family}: {work.what} is {state}; look at the run {work.run_id}"
            )
    return ends


async def _end_of(work: Work, deadline: float, ends: Ends) -> str:
    while True:
        try:
            state = await work.look()
        except Exception as error:  # While a part is away, whatever its client raises.
            state = f"not to be seen: {type(error).__name__}: {error}"
        if state in work.right:
            ends.last_at = max(ends.last_at, time.monotonic())
            return state
        if time.monotonic() > deadline:
            return state
        await asyncio.sleep(POLL_SECONDS)


async def _attend(temporal: Client, queue: str, ends: Ends) -> None:
    """What an operator does, who looks at the list of runs that need attention."""
    while True:
        # While the server is away, so is its list.
        with contextlib.suppress(RPCError):
            await retry_what_waits(temporal, queue, ends.operator)
        await asyncio.sleep(OPERATOR_SECONDS)


async def retry_what_waits(temporal: Client, queue: str, asked: list[str]) -> None:
    """Send `retry_step` to each run that waits. Each is noted in `asked` before: whatever comes of
    it, an operator was needed."""
    ours = f"{WAITING} AND TaskQueue = '{queue}'"
    async for run in temporal.list_workflows(ours, rpc_timeout=RPC_TIMEOUT):
        handle = temporal.get_workflow_handle(run.id)
        try:
            steps: list[str] = await handle.query("waiting_steps", rpc_timeout=RPC_TIMEOUT)
        except WorkflowQueryFailedError:
            continue  # A sweep: it says so and ends.
        for step in steps:
            asked.append(f"{run.id}: {step}")
            choice = OperatorChoice(step, operator="chaos", note="It is healed.")
            # One that refuses has ended meanwhile, or asks again; one that is silent is asked anew.
            with contextlib.suppress(
                WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
            ):
                await handle.execute_update("retry_step", choice, rpc_timeout=RPC_TIMEOUT)
