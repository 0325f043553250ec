"""Orchestration of disputes: answering in time, once, and following each to its end."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from domain.disputes import Answer, DisputeState
from tests.workflows.disputes.record import (
    accept,
    close_inquiry,
    escalate,
    lose,
    wait_for_booking,
    win,
)
from tests.workflows.disputes.runs import DAY, DUE, HOUR, DisputeRun
from tests.workflows.refunds.runs import Owner
from workflows.disputes.dispute import Dispute

S = DisputeState


async def test_evidence_is_submitted_once_and_a_day_before_it_is_due(run: DisputeRun) -> None:
    await win(run)
    [(after, answer)] = run.stripe.answers
    assert answer is Answer.SUBMIT
    assert DUE - DAY <= after < DUE - DAY + HOUR


async def test_a_lost_dispute_is_told_to_the_run_of_what_was_paid_for(run: DisputeRun) -> None:
    owner = await run.environment.client.start_workflow(
        Owner.run, id=f"sub:{uuid4()}", task_queue=run.queue
    )
    run.stripe.owner = owner.id
    run.stripe.says = [(timedelta(0), S.LOST)]
    with run.environment.auto_time_skipping_disabled():
        await run.start()
        assert await owner.result() == "the charge"


async def test_what_is_lost_without_a_run_to_tell_ends_all_the_same(run: DisputeRun) -> None:
    run.stripe.owner = "sub:gone"
    await lose(run)


async def test_staff_may_accept_before_it_is_due(run: DisputeRun) -> None:
    await accept(run)
    [(after, answer)] = run.stripe.answers
    assert answer is Answer.ACCEPT
    assert after < 2 * DAY


async def test_a_decision_that_nobody_told_of_is_found_within_a_day(run: DisputeRun) -> None:
    run.stripe.says = [(timedelta(0), S.NEEDS_RESPONSE)]
    handle = await run.start()
    await run.environment.sleep(1.5 * DAY)
    run.stripe.decided = Answer.ACCEPT
    assert (await handle.result()).state is S.LOST
    assert run.stripe.answers[0][0] < 2.5 * DAY


async def test_an_inquiry_is_answered_and_closed(run: DisputeRun) -> None:
    await close_inquiry(run)
    assert len(run.stripe.answers) == 1


async def test_an_inquiry_that_becomes_a_chargeback_is_answered_again(run: DisputeRun) -> None:
    await escalate(run)
    assert len(run.stripe.answers) == 2


async def test_what_is_not_booked_yet_is_asked_for_each_minute(run: DisputeRun) -> None:
    await wait_for_booking(run)
    assert [look for look in run.stripe.looks if look < HOUR][-1] >= timedelta(minutes=3)
    assert len([look for look in run.stripe.looks if look < HOUR]) == 4


async def test_a_worker_that_dies_after_each_step_answers_once(run: DisputeRun) -> None:
    run.stripe.lost_answers = 3
    await win(run)
    assert len(run.stripe.answers) == 1


async def test_news_are_looked_at_when_they_come(run: DisputeRun) -> None:
    run.stripe.says = [(timedelta(0), S.NEEDS_RESPONSE), (2 * HOUR, S.LOST)]
    handle = await run.start()
    await run.environment.sleep(3 * HOUR)
    await handle.signal(Dispute.stripe_changed, args=["charge.dispute.closed", "dp_1"])
    assert (await handle.result()).state is S.LOST
    assert run.stripe.looks[-1] < 4 * HOUR


async def test_a_run_that_has_looked_often_goes_on_as_a_new_one(run: DisputeRun) -> None:
    run.stripe.says = [(timedelta(0), S.UNDER_REVIEW), (60 * DAY, S.WON)]
    handle = await run.start(looks_max=10)
    assert (await handle.result()).state is S.WON
    assert len(run.stripe.looks) > 50
