"""The ways through `UnlockContent`, `SendTip` and `GiveGift`, and the recorder of the histories
that replay holds to.

    python -m tests.workflows.charges.record gift-paid gift-confirmed

One history for each branch: run it when a branch is added, and commit what it writes. Never
write over a history of code that has been released: those are what replay protects.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path

from domain.charges.states import ACTION_TTL, ChargeKind, ChargeState
from tests.workflows.charges.runs import DAY, HOUR, Handle, PaymentRun, payment_run, skipping_time
from workflows.attention import OperatorChoice
from workflows.charges.messages import ChargeOutcome
from workflows.charges.paying import PaysOnce

HISTORIES = Path(__file__).parent / "histories"
_TRACE = re.compile(r'"stackTrace": "(?:[^"\\]|\\.)*"')
"""Where code lay on the machine that recorded; replay does not read it."""
NOW = timedelta(0)
S = ChargeState


async def be_paid(run: PaymentRun) -> Handle:
    run.bank.says = {1: [(NOW, S.PAID)]}
    outcome, handle = await run.pay()
    assert outcome.state is S.PAID
    assert (await run.result(handle)).state is S.PAID
    return handle


async def decline(run: PaymentRun) -> Handle:
    run.bank.says = {1: [(NOW, S.DECLINED)]}
    outcome, handle = await run.pay()
    assert (outcome.state, outcome.decline_code) == (S.DECLINED, "insufficient_funds")
    await run.result(handle)
    return handle


async def confirm(run: PaymentRun) -> Handle:
    """The fan comes back from their bank and says so."""
    run.bank.says = {1: [(NOW, S.REQUIRES_ACTION), (timedelta(seconds=30), S.PAID)]}
    outcome, handle = await run.pay()
    assert outcome.state is S.REQUIRES_ACTION
    await run.environment.sleep(timedelta(seconds=40))
    assert (await handle.execute_update(PaysOnce.confirmed)).state is S.PAID
    await run.result(handle)
    return handle


async def hear_of_it(run: PaymentRun) -> Handle:
    """The fan closes the browser; a webhook comes."""
    run.bank.says = {1: [(NOW, S.REQUIRES_ACTION), (3 * HOUR, S.PAID)]}
    _, handle = await run.pay()
    await run.environment.sleep(3 * HOUR)
    await handle.signal(PaysOnce.stripe_changed, args=["payment_intent.succeeded", "pi_1"])
    assert (await run.result(handle)).state is S.PAID
    return handle


async def find_out(run: PaymentRun) -> Handle:
    """The webhook is lost as well; a look now and then finds the payment."""
    run.bank.says = {1: [(NOW, S.REQUIRES_ACTION), (3 * HOUR, S.PAID)]}
    _, handle = await run.pay()
    assert (await run.result(handle)).state is S.PAID
    return handle


async def give_up(run: PaymentRun) -> Handle:
    run.bank.says = {1: [(NOW, S.REQUIRES_ACTION)]}
    _, handle = await run.pay()
    assert (await run.result(handle)).state is S.CANCELED
    return handle


async def give_up_too_late(run: PaymentRun) -> Handle:
    run.bank.says = {1: [(NOW, S.REQUIRES_ACTION), (ACTION_TTL, S.PAID)]}
    _, handle = await run.pay()
    assert (await run.result(handle)).state is S.PAID
    return handle


async def wait_for_the_bank(run: PaymentRun) -> Handle:
    run.bank.says = {1: [(NOW, S.PROCESSING), (3 * DAY, S.DECLINED)]}
    outcome, handle = await run.pay()
    assert outcome.state is S.PROCESSING
    assert (await run.result(handle)).state is S.DECLINED
    return handle


async def be_repaired(run: PaymentRun) -> Handle:
    """An operator mends what Stripe refuses, and has it tried again."""
    run.bank.says, run.bank.refusals = {1: [(NOW, S.PAID)]}, 1
    paying = asyncio.ensure_future(run.pay())
    handle: Handle = run.environment.client.get_workflow_handle(
        run.order().workflow_id, result_type=ChargeOutcome
    )
    async with asyncio.timeout(15):
        while run.bank.refusals:
            await asyncio.sleep(0.02)
    await run.waiting_step(handle)
    await handle.execute_update(PaysOnce.retry_step, OperatorChoice("charge", "ops"))
    outcome, _ = await paying
    assert outcome.state is S.PAID
    await run.result(handle)
    return handle


BRANCHES: dict[str, Callable[[PaymentRun], Awaitable[Handle]]] = {
    "paid": be_paid,
    "declined": decline,
    "confirmed": confirm,
    "heard": hear_of_it,
    "found": find_out,
    "given-up": give_up,
    "given-up-too-late": give_up_too_late,
    "processing": wait_for_the_bank,
    "repaired": be_repaired,
    "tip-confirmed": confirm,
    "tip-declined": decline,
    "tip-repaired": be_repaired,
    "gift-paid": be_paid,
    "gift-declined": decline,
    "gift-confirmed": confirm,
    "gift-given-up": give_up,
    "gift-repaired": be_repaired,
}
KINDS = {"tip": ChargeKind.TIP, "gift": ChargeKind.GIFT}
"""Of branches by the first word of their names; all others are of unlocks."""


def kind_of(name: str) -> ChargeKind:
    return KINDS.get(name.partition("-")[0], ChargeKind.UNLOCK)


async def main(names: Sequence[str]) -> None:
    HISTORIES.mkdir(exist_ok=True)
    for name in names or BRANCHES:
        async with skipping_time() as environment, payment_run(environment) as run:
            run.kind = kind_of(name)
            handle = await BRANCHES[name](run)
            history = await handle.fetch_history()
        path = HISTORIES / f"{name}.json"
        path.write_text(_TRACE.sub('"stackTrace": ""', history.to_json()) + "\n")
        sys.stdout.write(f"{path.name}: {path.stat().st_size} bytes\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
