"""The ways through `Refund`, and the recorder of the histories that replay holds to.

    python -m tests.workflows.refunds.record

One history for each branch: run it when a branch is added, and commit what it writes. Never
write over a history of code that has been released: those are what replay protects.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

from domain.refunds import RefundState
from tests.workflows.refunds.runs import DAY, HOUR, Handle, RefundRun, refund_run, skipping_time
from workflows.attention import OperatorChoice
from workflows.refunds.refund import Refund

HISTORIES = Path(__file__).parent / "histories"
NOW = timedelta(0)
S = RefundState


async def succeed(run: RefundRun) -> Handle:
    run.stripe.says = [(NOW, S.SUCCEEDED)]
    handle = await run.start()
    assert (await handle.result()).state is S.SUCCEEDED
    return handle


async def refuse(run: RefundRun) -> Handle:
    run.stripe.says = [(NOW, S.REFUSED)]
    handle = await run.start()
    assert (await handle.result()).state is S.REFUSED
    return handle


async def wait_for_the_bank(run: RefundRun) -> Handle:
    run.stripe.says = [(NOW, S.PENDING), (30 * HOUR, S.SUCCEEDED)]
    handle = await run.start()
    assert (await handle.result()).state is S.SUCCEEDED
    return handle


async def fail_later(run: RefundRun) -> Handle:
    """Staff skip the step: they have paid the fan in another way."""
    run.stripe.says = [(NOW, S.SUCCEEDED), (10 * DAY, S.FAILED)]
    handle = await run.start()
    await run.environment.sleep(15 * DAY)
    await run.waiting_step(handle)
    await handle.execute_update(
        Refund.skip_step, OperatorChoice("failed_refund", "ops", "paid by hand")
    )
    assert (await handle.result()).state is S.FAILED
    return handle


async def hear_of_it(run: RefundRun) -> Handle:
    """A webhook comes before the poll."""
    run.stripe.says = [(NOW, S.PENDING), (HOUR, S.SUCCEEDED)]
    handle = await run.start()
    await run.outcome(handle)
    await run.environment.sleep(HOUR)
    await handle.signal(Refund.stripe_changed, args=["refund.updated", "re_1"])
    assert (await handle.result()).state is S.SUCCEEDED
    return handle


async def lose_answers(run: RefundRun) -> Handle:
    run.stripe.lost_answers = 2
    return await wait_for_the_bank(run)


BRANCHES: dict[str, Callable[[RefundRun], Awaitable[Handle]]] = {
    "succeeded": succeed,
    "refused": refuse,
    "pending": wait_for_the_bank,
    "failed-later": fail_later,
    "heard": hear_of_it,
}


async def main() -> None:
    HISTORIES.mkdir(exist_ok=True)
    for name, branch in BRANCHES.items():
        async with skipping_time() as environment, refund_run(environment) as run:
            handle = await branch(run)
            history = await handle.fetch_history()
        path = HISTORIES / f"{name}.json"
        path.write_text(history.to_json() + "\n")
        sys.stdout.write(f"{path.name}: {path.stat().st_size} bytes\n")


if __name__ == "__main__":
    asyncio.run(main())
