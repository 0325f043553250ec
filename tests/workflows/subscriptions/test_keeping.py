"""Orchestration of subscriptions: sleeping, hearing of changes, going on, ending."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from itertools import pairwise

import pytest
from temporalio.client import WorkflowUpdateStage

from domain.subscriptions.states import EndReason, SubscriptionState
from tests.workflows.subscriptions.record import BRANCHES, pay_with_a_new_card, renew_and_cancel
from tests.workflows.subscriptions.runs import DAY, Handle, SubscriptionRun
from workflows.subscriptions.messages import Cancel, SubscriptionSweepReport, UseNewCard
from workflows.subscriptions.subscription import KeepSubscription
from workflows.subscriptions.sweep import SweepSubscriptions

Branch = Callable[[SubscriptionRun], Awaitable[Handle]]


@pytest.mark.parametrize("branch", BRANCHES.values(), ids=BRANCHES)
async def test_every_branch_ends_as_it_says(run: SubscriptionRun, branch: Branch) -> None:
    await branch(run)


async def test_three_years_are_one_step_a_month(run: SubscriptionRun) -> None:
    await run.start()
    await run.pass_time(3 * 366 * DAY)
    await run.handle.execute_update(KeepSubscription.begin)
    assert run.row.period == 37
    assert run.row.tendings == 37
    assert run.row.state is SubscriptionState.ACTIVE


async def test_retries_come_after_2_5_7_and_7_days(run: SubscriptionRun) -> None:
    run.row.says = ["paid", *["soft"] * 5]
    await run.start()
    await run.pass_time(70 * DAY)
    assert run.row.end_reason == "not_paid"
    tries = run.row.charged[1:]
    apart = [later - earlier for earlier, later in pairwise(tries)]
    assert [round(each / DAY) for each in apart] == [2, 5, 7, 7]


async def test_a_new_card_is_tried_at_once(run: SubscriptionRun) -> None:
    await pay_with_a_new_card(run)
    assert run.row.period == 2


async def test_a_step_whose_answer_is_lost_is_repeated_and_takes_nothing_twice(
    run: SubscriptionRun,
) -> None:
    run.row.lost_answers = 3
    await renew_and_cancel(run)
    assert len(run.row.charged) == 3


async def test_a_wish_is_heard_while_a_payment_can_not_be_taken(run: SubscriptionRun) -> None:
    """Stripe is away for hours, and the fan is not kept from canceling meanwhile."""
    run.row.lost_answers = 4
    handle = await run.start()
    with run.environment.auto_time_skipping_disabled():
        await run.until(lambda: run.row.tendings > 0)
    asked = await handle.start_update(
        KeepSubscription.cancel,
        Cancel(now=True),
        wait_for_stage=WorkflowUpdateStage.ACCEPTED,
    )
    await run.until(lambda: run.row.end_reason is EndReason.FAN)
    assert run.row.lost_answers > 0
    done = await asked.result()
    assert done.look is not None and done.look.state is SubscriptionState.CANCELED


async def test_a_wish_that_comes_too_late_is_refused_with_its_reason(run: SubscriptionRun) -> None:
    await renew_and_cancel(run)
    run.row.says = []
    handle = await run.start()
    refused = await handle.execute_update(KeepSubscription.use_new_card, UseNewCard("pm_1"))
    assert refused.refusal is not None and refused.refusal.code == "subscription_ended"
    assert (await handle.result()).state is SubscriptionState.CANCELED


async def test_what_nobody_tells_of_is_found_within_minutes(run: SubscriptionRun) -> None:
    run.row.says = ["asks"]
    handle = await run.start()
    await handle.execute_update(KeepSubscription.begin)
    run.row.says = ["paid"]
    await run.pass_time(timedelta(minutes=2))
    assert (await run.handle.execute_update(KeepSubscription.begin)).outcome == "active"


async def test_the_sweep_is_one_step(run: SubscriptionRun) -> None:
    report = await run.environment.client.execute_workflow(
        SweepSubscriptions.run, id="sweep", task_queue=run.queue
    )
    assert report == SubscriptionSweepReport(tended_runs=1)
