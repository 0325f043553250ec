"""Orchestration of one payout: review, sending, watching, failing late."""

from __future__ import annotations

import pytest
from temporalio.client import WorkflowUpdateFailedError

from domain.payouts.states import PROVISIONAL, BankState, PayoutState
from tests.workflows.payouts.record import (
    approve,
    block_sending,
    continue_as_new,
    decide_in_the_row,
    ends_as,
    fail_after_paid,
    fail_in_transit,
    fail_to_reverse,
    refuse,
    refuse_the_payout,
    reject,
    settle,
    wait_in_review,
)
from tests.workflows.payouts.runs import DAY, PayoutRun
from workflows.payouts.messages import PayoutSweepReport, Verdict
from workflows.payouts.sweep import SweepPayouts

S = PayoutState


async def test_a_payout_is_settled_once_it_has_been_paid_for_seven_days(run: PayoutRun) -> None:
    await settle(run)
    assert (run.row.transfers, run.row.payouts, run.row.reversals) == (1, 1, 0)
    assert run.row.paid_at is not None
    assert run.row.settled_at is not None
    assert PROVISIONAL <= run.row.settled_at - run.row.paid_at < PROVISIONAL + DAY


async def test_a_payout_that_is_refused_at_once_sends_nothing(run: PayoutRun) -> None:
    await refuse(run)
    assert run.row.transfers == 0


async def test_nothing_is_sent_before_staff_approve(run: PayoutRun) -> None:
    handle = await wait_in_review(run)
    await run.pass_time(3.5 * DAY)
    await run.asleep(handle)
    assert (run.row.state, run.row.transfers) == (S.REVIEW, 0)
    await handle.execute_update("approve", Verdict("ada"))
    await ends_as(handle, S.SETTLED)
    assert (run.row.transfers, run.scripted.decisions[0].operator) == (1, "ada")


async def test_an_approved_payout_is_sent(run: PayoutRun) -> None:
    await approve(run)
    assert run.row.transfers == 1


async def test_a_rejected_payout_is_released(run: PayoutRun) -> None:
    await reject(run)
    assert run.row.transfers == 0


async def test_a_decision_in_the_row_counts_as_well(run: PayoutRun) -> None:
    await decide_in_the_row(run)
    assert (run.row.transfers, run.scripted.decisions) == (1, [])


@pytest.mark.parametrize(
    ("update", "verdict"),
    [("approve", Verdict("")), ("reject", Verdict("ada")), ("reject", Verdict("", "why"))],
)
async def test_a_verdict_says_who_and_a_rejection_why(
    run: PayoutRun, update: str, verdict: Verdict
) -> None:
    handle = await wait_in_review(run)
    with pytest.raises(WorkflowUpdateFailedError):
        await handle.execute_update(update, verdict)
    assert run.scripted.decisions == []


async def test_what_does_not_wait_in_review_is_not_decided(run: PayoutRun) -> None:
    handle = await run.start()
    await run.asleep(handle)
    with pytest.raises(WorkflowUpdateFailedError):
        await handle.execute_update("approve", Verdict("ada"))


async def test_a_payout_that_fails_on_its_way_is_returned(run: PayoutRun) -> None:
    await fail_in_transit(run)
    assert (run.row.transfers, run.row.reversals) == (1, 1)


async def test_a_bank_may_send_it_back_after_stripe_has_said_paid(run: PayoutRun) -> None:
    await fail_after_paid(run)
    assert run.row.reversals == 1
    assert run.last_after < 7 * DAY


async def test_nobody_is_credited_while_the_reversal_fails(run: PayoutRun) -> None:
    await fail_to_reverse(run)
    assert run.row.reversals == 1
    assert run.scripted.notes == [("return", "payout_reversal_refused"), (None, None)]
    assert run.scripted.audited == ["payout.step_retried"]


async def test_a_payout_that_stripe_refuses_is_returned(run: PayoutRun) -> None:
    await refuse_the_payout(run)
    assert (run.row.transfers, run.row.payouts, run.row.reversals) == (1, 0, 1)


async def test_a_step_that_is_blocked_waits_for_an_operator(run: PayoutRun) -> None:
    await block_sending(run)
    assert run.scripted.notes == [("send", "some_reason"), (None, None)]


@pytest.mark.parametrize("step", ["open", "send", "look", "return"])
async def test_a_worker_that_dies_after_any_step_pays_once(run: PayoutRun, step: str) -> None:
    fails = step == "return"
    run.scripted.bank = BankState.FAILED if fails else BankState.PAID
    run.scripted.dies_after = step
    await ends_as(await run.start(), S.RETURNED if fails else S.SETTLED)
    assert (run.row.transfers, run.row.payouts, run.row.reversals) == (1, 1, int(fails))


@pytest.mark.parametrize(
    ("state", "end"),
    [
        (S.REQUESTED, S.SETTLED),
        (S.RESERVED, S.SETTLED),
        (S.TRANSFERRING, S.SETTLED),
        (S.FUNDED, S.SETTLED),
        (S.SUBMITTING, S.SETTLED),
        (S.IN_TRANSIT, S.SETTLED),
        (S.PAID, S.SETTLED),
        (S.RETURNING, S.RETURNED),
        (S.NEEDS_OPS, S.RETURNED),
        (S.SETTLED, S.SETTLED),
        (S.RELEASED, S.RELEASED),
    ],
)
async def test_a_run_that_was_lost_is_started_anew_wherever_the_row_is(
    run: PayoutRun, state: PayoutState, end: PayoutState
) -> None:
    run.row.state = state
    run.scripted.bank = BankState.PAID
    await ends_as(await run.start(), end)


async def test_a_lost_webhook_costs_hours_and_no_money(run: PayoutRun) -> None:
    handle = await run.start()
    await run.asleep(handle)
    run.scripted.bank = BankState.PAID
    await run.pass_time(DAY / 2)
    assert run.row.state is S.PAID


async def test_a_run_with_many_steps_goes_on_as_a_new_one(run: PayoutRun) -> None:
    await continue_as_new(run)
    assert (run.row.transfers, run.row.payouts) == (1, 1)


async def test_the_sweep_is_one_step(run: PayoutRun) -> None:
    report = await run.environment.client.execute_workflow(
        SweepPayouts.run, id="sweep", task_queue=run.queue
    )
    assert report == PayoutSweepReport(released_creators=3)
