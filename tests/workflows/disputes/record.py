"""The ways through `Dispute`, and the recorder of the histories that replay holds to.

    python -m tests.workflows.disputes.record

One history for each branch: run it when a branch is added, and commit what it writes. Never
write over a history of code that has been released: those are what replay protects.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

from domain.disputes import Answer, DisputeState
from tests.workflows.disputes.runs import DAY, DisputeRun, Handle, dispute_run, skipping_time
from workflows.disputes.dispute import Dispute

HISTORIES = Path(__file__).parent / "histories"
NOW = timedelta(0)
S = DisputeState


async def win(run: DisputeRun) -> Handle:
    """Nobody decides anything: the evidence goes by itself, a day before it is due."""
    run.stripe.says = [(NOW, S.NEEDS_RESPONSE)]
    handle = await run.start()
    assert (await handle.result()).state is S.WON
    return handle


async def lose(run: DisputeRun) -> Handle:
    run.stripe.verdict = S.LOST
    run.stripe.says = [(NOW, S.NEEDS_RESPONSE)]
    handle = await run.start()
    assert (await handle.result()).state is S.LOST
    return handle


async def accept(run: DisputeRun) -> Handle:
    """Staff decide on the second day."""
    run.stripe.says = [(NOW, S.NEEDS_RESPONSE)]
    handle = await run.start()
    await run.environment.sleep(1.5 * DAY)
    run.stripe.decided = Answer.ACCEPT
    await handle.signal(Dispute.stripe_changed, args=["decided", ""])
    assert (await handle.result()).state is S.LOST
    return handle


async def close_inquiry(run: DisputeRun) -> Handle:
    run.stripe.says = [(NOW, S.WARNING_NEEDS_RESPONSE), (20 * DAY, S.WARNING_CLOSED)]
    handle = await run.start()
    assert (await handle.result()).state is S.WARNING_CLOSED
    return handle


async def escalate(run: DisputeRun) -> Handle:
    """An inquiry that was answered becomes a chargeback, which is answered as well."""
    run.stripe.says = [(NOW, S.WARNING_NEEDS_RESPONSE), (12 * DAY, S.NEEDS_RESPONSE)]
    handle = await run.start()
    assert (await handle.result()).state is S.WON
    return handle


async def wait_for_booking(run: DisputeRun) -> Handle:
    run.stripe.booked_after = timedelta(minutes=3)
    return await win(run)


BRANCHES: dict[str, Callable[[DisputeRun], Awaitable[Handle]]] = {
    "won": win,
    "lost": lose,
    "accepted": accept,
    "inquiry-closed": close_inquiry,
    "escalated": escalate,
    "booked-late": wait_for_booking,
}


async def main() -> None:
    HISTORIES.mkdir(exist_ok=True)
    for name, branch in BRANCHES.items():
        async with skipping_time() as environment, dispute_run(environment) as run:
            handle = await branch(run)
            history = await handle.fetch_history()
        path = HISTORIES / f"{name}.json"
        path.write_text(history.to_json() + "\n")
        sys.stdout.write(f"{path.name}: {path.stat().st_size} bytes\n")


if __name__ == "__main__":
    asyncio.run(main())
