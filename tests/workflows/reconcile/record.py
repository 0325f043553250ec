"""The ways through `Reconcile`, and the recorder of the histories that replay holds to.

    python -m tests.workflows.reconcile.record

One history for each branch: run it when a branch is added, and commit what it writes. Never
write over a history of code that has been released: those are what replay protects.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.workflows.reconcile.runs import Handle, ReconcileRun, reconcile_run, skipping_time
from workflows.attention import OperatorChoice
from workflows.reconcile.reconcile import CATCHING_UP, STEP, Reconcile

HISTORIES = Path(__file__).parent / "histories"


async def agree(run: ReconcileRun) -> Handle:
    handle = await run.start()
    found = await handle.result()
    assert found is not None
    assert found.sources_checked == 3
    return handle


async def heal(run: ReconcileRun) -> Handle:
    """What differed was put right by a person, who has it compared again."""
    run.books.breaks = 2
    handle = await run.start()
    await run.waiting(handle)
    run.books.breaks = 0
    await handle.execute_update(Reconcile.retry_step, OperatorChoice(STEP, "ops"))
    assert await handle.result() is not None
    return handle


async def come_late(run: ReconcileRun) -> Handle:
    """After an outage the ledger catches up by itself; nobody is asked."""
    run.books.breaks, run.books.may_be_late, run.books.comes_late = 2, True, True
    handle = await run.start()
    found = await handle.result()
    assert found is not None
    assert found.breaks == 0
    return handle


async def stay(run: ReconcileRun) -> Handle:
    """What may have been late does not come, not even while the operator is there."""
    run.books.breaks, run.books.may_be_late = 2, True
    handle = await run.start()
    await run.environment.sleep(CATCHING_UP)
    await run.waiting(handle)
    await handle.execute_update(Reconcile.retry_step, OperatorChoice(STEP, "ops"))
    await run.waiting(handle)
    await handle.execute_update(Reconcile.skip_step, OperatorChoice(STEP, "ops", "known"))
    assert await handle.result() is None
    return handle


async def skip(run: ReconcileRun) -> Handle:
    run.books.breaks = 2
    handle = await run.start()
    await run.waiting(handle)
    await handle.execute_update(Reconcile.skip_step, OperatorChoice(STEP, "ops", "known"))
    assert await handle.result() is None
    return handle


BRANCHES: dict[str, Callable[[ReconcileRun], Awaitable[Handle]]] = {
    "agreed": agree,
    "healed": heal,
    "skipped": skip,
    "late": come_late,
    "stayed": stay,
}


async def main() -> None:
    HISTORIES.mkdir(exist_ok=True)
    for name, branch in BRANCHES.items():
        async with skipping_time() as environment, reconcile_run(environment) as run:
            handle = await branch(run)
            history = await handle.fetch_history()
        path = HISTORIES / f"{name}.json"
        path.write_text(history.to_json() + "\n")
        sys.stdout.write(f"{path.name}: {path.stat().st_size} bytes\n")


if __name__ == "__main__":
    asyncio.run(main())
