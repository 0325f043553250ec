"""The ways through runs of payouts, and the recorder of the histories that replay holds to.

    python -m tests.workflows.payouts.record

One history for each branch: run it when a branch is added, and commit what it writes. Never
write over a history of code that has been released: those are what replay protects.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from domain.payouts.states import BankState, PayoutState
from tests.workflows.payouts.runs import DAY, AnyHandle, PayoutRun, payout_run, skipping_time
from workflows.payouts.messages import PayoutLook, Verdict

HISTORIES = Path(__file__).parent / "histories"
S = PayoutState


async def ends_as(handle: AnyHandle, state: PayoutState, reason: str | None = None) -> None:
    assert await handle.result() == PayoutLook(state, reason)


async def settle(run: PayoutRun) -> AnyHandle:
    run.scripted.bank = BankState.PAID
    handle = await run.start()
    await ends_as(handle, S.SETTLED)
    return handle


async def refuse(run: PayoutRun) -> AnyHandle:
    run.scripted.refusal = "below_payout_minimum"
    handle = await run.start()
    await ends_as(handle, S.RELEASED, "below_payout_minimum")
    return handle


async def wait_in_review(run: PayoutRun) -> AnyHandle:
    run.scripted.reviewed = True
    run.scripted.bank = BankState.PAID
    handle = await run.start()
    await run.asleep(handle)
    return handle


async def approve(run: PayoutRun) -> AnyHandle:
    handle = await wait_in_review(run)
    await handle.execute_update("approve", Verdict("ada"))
    await ends_as(handle, S.SETTLED)
    return handle


async def reject(run: PayoutRun) -> AnyHandle:
    handle = await wait_in_review(run)
    await handle.execute_update("reject", Verdict("ada", "Case 7: another name on the account"))
    await ends_as(handle, S.RELEASED)
    return handle


async def decide_in_the_row(run: PayoutRun) -> AnyHandle:
    """As the API does: the row first, then a signal."""
    handle = await wait_in_review(run)
    run.row.state = S.RESERVED
    await handle.signal("row_changed")
    await ends_as(handle, S.SETTLED)
    return handle


async def fail_in_transit(run: PayoutRun) -> AnyHandle:
    handle = await run.start()
    await run.asleep(handle)
    run.scripted.bank = BankState.FAILED
    await handle.signal("stripe_changed", args=["payout.failed", "po_1"])
    await ends_as(handle, S.RETURNED)
    return handle


async def fail_after_paid(run: PayoutRun) -> AnyHandle:
    """The bank sends it back on the sixth day, and no webhook says so."""
    run.scripted.bank = BankState.PAID
    handle = await run.start()
    await run.asleep(handle)
    await run.pass_time(5 * DAY)
    assert run.row.state is S.PAID
    run.scripted.bank = BankState.FAILED
    await ends_as(handle, S.RETURNED)
    return handle


async def fail_to_reverse(run: PayoutRun) -> AnyHandle:
    run.scripted.bank = BankState.FAILED
    run.scripted.reversal_refused = True
    handle = await run.start()
    await run.asleep(handle)
    await handle.signal("stripe_changed", args=["payout.failed", "po_1"])
    await run.until(lambda: ("return", "payout_reversal_refused") in run.scripted.notes)
    assert (run.row.state, run.row.reversals) == (S.NEEDS_OPS, 0)
    run.scripted.reversal_refused = False
    await run.retry(handle, "return")
    await ends_as(handle, S.RETURNED)
    return handle


async def refuse_the_payout(run: PayoutRun) -> AnyHandle:
    run.scripted.payout_refused = True
    handle = await run.start()
    await ends_as(handle, S.RETURNED)
    return handle


async def block_sending(run: PayoutRun) -> AnyHandle:
    run.scripted.bank = BankState.PAID
    run.scripted.blocked = ["send"]
    handle = await run.start()
    await run.retry(handle, "send")
    await ends_as(handle, S.SETTLED)
    return handle


async def continue_as_new(run: PayoutRun) -> AnyHandle:
    """Recorded is the first of its runs: the one that goes on as another."""
    run.scripted.bank = BankState.PAID
    handle = await run.start(looks_max=3)
    first = run.environment.client.get_workflow_handle(
        handle.id, run_id=handle.first_execution_run_id
    )
    await ends_as(handle, S.SETTLED)
    return first


async def pay_all(run: PayoutRun) -> AnyHandle:
    run.scripted.bank = BankState.PAID
    run.scripted.page_of("a", "b", "c", after="1", skipped=2)
    run.scripted.page_of("d", skipped=1)
    handle = await run.start_batch(window=2)
    end = await handle.result()
    assert (end.started, end.skipped) == (4, 3)
    return handle


async def continue_the_batch(run: PayoutRun) -> AnyHandle:
    run.scripted.page_of("a", after="1")
    run.scripted.page_of("b")
    handle = await run.start_batch(pages_max=1)
    first = run.environment.client.get_workflow_handle(
        handle.id, run_id=handle.first_execution_run_id
    )
    assert (await handle.result()).started == 2
    return first


async def onboard(run: PayoutRun) -> AnyHandle:
    run.scripted.outcomes = ["waiting", "waiting", "waiting", "ready"]
    handle = await run.onboard()
    assert (await handle.result()).outcome == "ready"
    return handle


async def hear_of_the_account(run: PayoutRun) -> AnyHandle:
    run.scripted.outcomes = ["waiting", "ready"]
    handle = await run.onboard()
    await run.asleep(handle)
    await handle.signal("stripe_changed", args=["account.updated", "acct_1"])
    with run.environment.auto_time_skipping_disabled():
        assert (await handle.result()).outcome == "ready"
    return handle


BRANCHES: dict[str, Callable[[PayoutRun], Awaitable[AnyHandle]]] = {
    "settled": settle,
    "refused": refuse,
    "approved": approve,
    "rejected": reject,
    "decided-in-the-row": decide_in_the_row,
    "failed-in-transit": fail_in_transit,
    "failed-after-paid": fail_after_paid,
    "reversal-refused": fail_to_reverse,
    "payout-refused": refuse_the_payout,
    "sending-blocked": block_sending,
    "continued-as-new": continue_as_new,
    "batch": pay_all,
    "batch-continued": continue_the_batch,
    "onboarded": onboard,
    "account-changed": hear_of_the_account,
}


async def main() -> None:
    HISTORIES.mkdir(exist_ok=True)
    for name, branch in BRANCHES.items():
        async with skipping_time() as environment, payout_run(environment) as run:
            handle = await branch(run)
            history = await handle.fetch_history()
        path = HISTORIES / f"{name}.json"
        path.write_text(history.to_json() + "\n")
        sys.stdout.write(f"{path.name}: {path.stat().st_size} bytes\n")


if __name__ == "__main__":
    asyncio.run(main())
