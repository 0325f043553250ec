"""The ways through `KeepSubscription`, and the recorder of the histories that replay holds to.

    python -m tests.workflows.subscriptions.record

One history for each branch: run it when a branch is added, and commit what it writes. Never
write over a history of code that has been released: those are what replay protects.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

from domain.subscriptions.states import EndReason, SubscriptionState
from tests.workflows.subscriptions.runs import (
    DAY,
    Handle,
    SubscriptionRun,
    skipping_time,
    subscription_run,
)
from workflows.attention import OperatorChoice
from workflows.subscriptions.messages import Cancel, Pause, UseNewCard
from workflows.subscriptions.subscription import KeepSubscription

HISTORIES = Path(__file__).parent / "histories"
S = SubscriptionState


async def decline(run: SubscriptionRun) -> Handle:
    run.row.says = ["hard"]
    handle = await run.start()
    assert (await handle.result()).outcome == "declined"
    return handle


async def confirm(run: SubscriptionRun) -> Handle:
    """The bank asks the fan, who confirms and says so; then they cancel at once."""
    run.row.says = ["asks"]
    handle = await run.start()
    look = await handle.execute_update(KeepSubscription.begin)
    assert look.outcome == "requires_action"
    run.row.says = ["paid"]
    assert (await handle.execute_update(KeepSubscription.confirmed)).outcome == "active"
    done = await run.handle.execute_update(KeepSubscription.cancel, Cancel(now=True))
    assert done.look is not None and done.look.state is S.CANCELED
    await run.handle.result()
    return handle


async def never_confirm(run: SubscriptionRun) -> Handle:
    run.row.says = ["asks", *["asks"] * 200]
    handle = await run.start()
    await run.pass_time(DAY)
    assert (await handle.result()).state is S.EXPIRED
    return handle


async def renew_and_cancel(run: SubscriptionRun) -> Handle:
    """Recorded is the last run of the chain."""
    await run.start()
    await run.pass_time(70 * DAY)
    done = await run.handle.execute_update(KeepSubscription.cancel, Cancel())
    assert done.look is not None and done.look.state is S.CANCELING
    handle = run.handle
    await run.pass_time(40 * DAY)
    assert (await handle.result()).state is S.CANCELED
    return handle


async def go_on_as_new(run: SubscriptionRun) -> Handle:
    """Recorded is the first run of the chain, which ends with its period."""
    handle = await run.start()
    await handle.execute_update(KeepSubscription.begin)
    first = (await handle.describe()).run_id
    await run.pass_time(40 * DAY)
    await run.handle.execute_update(KeepSubscription.cancel, Cancel(now=True))
    await run.handle.result()
    found: Handle = run.environment.client.get_workflow_handle(handle.id, run_id=first)
    return found


async def retry_until_given_up(run: SubscriptionRun) -> Handle:
    run.row.says = ["paid", *["soft"] * 5]
    await run.start()
    await run.pass_time(60 * DAY)
    handle = run.handle
    assert (await handle.result()).state is S.EXPIRED
    return handle


async def pay_with_a_new_card(run: SubscriptionRun) -> Handle:
    run.row.says = ["paid", "hard"]
    await run.start()
    await run.pass_time(40 * DAY)
    assert run.row.state is S.PAST_DUE
    handle = run.handle
    described = await handle.describe()
    done = await handle.execute_update(KeepSubscription.use_new_card, UseNewCard("pm_2"))
    assert done.look is not None and done.look.state is S.ACTIVE
    await run.handle.execute_update(KeepSubscription.cancel, Cancel(now=True))
    await run.handle.result()
    found: Handle = run.environment.client.get_workflow_handle(handle.id, run_id=described.run_id)
    return found


async def pause(run: SubscriptionRun) -> Handle:
    handle = await run.start()
    now = await run.environment.get_current_time()
    await handle.execute_update(KeepSubscription.pause, Pause(now + 90 * DAY))
    await run.pass_time(60 * DAY)
    assert await _state(run) is S.PAUSED
    await run.pass_time(40 * DAY)
    assert await _state(run) is S.ACTIVE
    await run.handle.signal(KeepSubscription.charge_taken_back, "the charge")
    run.row.must_end = EndReason.REFUNDED
    await run.handle.signal(KeepSubscription.row_changed)
    await run.handle.result()
    return run.handle


async def be_banned(run: SubscriptionRun) -> Handle:
    handle = await run.start()
    await handle.execute_update(KeepSubscription.begin)
    run.row.must_end = EndReason.BANNED
    with run.environment.auto_time_skipping_disabled():
        await handle.signal(KeepSubscription.banned)
        assert (await handle.result()).end_reason == EndReason.BANNED
    return handle


async def need_an_operator(run: SubscriptionRun) -> Handle:
    run.row.blocked = 1
    run.row.says = ["hard"]
    handle = await run.start()
    async with asyncio.timeout(15):
        while not await handle.query(KeepSubscription.waiting_steps):
            await asyncio.sleep(0.02)
    await handle.execute_update(KeepSubscription.retry_step, OperatorChoice("tend", "ops"))
    await handle.result()
    return handle


async def look_often(run: SubscriptionRun) -> Handle:
    """Recorded is a run that went on as a new one within its period."""
    run.row.says = ["asks"] * 5
    handle = await run.start(tendings_max=3)
    await handle.execute_update(KeepSubscription.begin)
    first = (await handle.describe()).run_id
    await run.pass_time(timedelta(hours=2))
    await run.handle.execute_update(KeepSubscription.cancel, Cancel(now=True))
    await run.handle.result()
    found: Handle = run.environment.client.get_workflow_handle(handle.id, run_id=first)
    return found


async def _state(run: SubscriptionRun) -> SubscriptionState:
    return (await run.handle.execute_update(KeepSubscription.begin)).state


BRANCHES: dict[str, Callable[[SubscriptionRun], Awaitable[Handle]]] = {
    "declined": decline,
    "confirmed": confirm,
    "never-confirmed": never_confirm,
    "canceled": renew_and_cancel,
    "continued-as-new": go_on_as_new,
    "given-up": retry_until_given_up,
    "new-card": pay_with_a_new_card,
    "paused": pause,
    "banned": be_banned,
    "operator": need_an_operator,
    "looked-often": look_often,
}


async def main() -> None:
    HISTORIES.mkdir(exist_ok=True)
    for name, branch in BRANCHES.items():
        async with skipping_time() as environment, subscription_run(environment) as run:
            handle = await branch(run)
            history = await handle.fetch_history()
        path = HISTORIES / f"{name}.json"
        path.write_text(history.to_json() + "\n")
        sys.stdout.write(f"{path.name}: {path.stat().st_size} bytes\n")


if __name__ == "__main__":
    asyncio.run(main())
