"""Orchestration of refunds: asking, waiting for the bank, watching, and what is sent back."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from domain.refunds import WATCHED, RefundState
from tests.workflows.refunds.record import (
    fail_later,
    hear_of_it,
    lose_answers,
    refuse,
    succeed,
    wait_for_the_bank,
)
from tests.workflows.refunds.runs import DAY, HOUR, Owner, RefundRun
from workflows.refunds.messages import RefundSweepReport
from workflows.refunds.sweep import SweepRefunds

S = RefundState
NOW = timedelta(0)


async def test_whoever_asks_hears_at_once_and_the_refund_is_watched_for_a_month(
    run: RefundRun,
) -> None:
    run.stripe.says = [(NOW, S.SUCCEEDED)]
    handle = await run.start()
    assert (await run.outcome(handle)).state is S.SUCCEEDED
    await handle.result()
    assert run.stripe.sends == 1
    assert WATCHED <= run.stripe.looks[-1] < WATCHED + HOUR
    assert len(run.stripe.looks) == 5


async def test_a_refused_refund_is_over(run: RefundRun) -> None:
    await refuse(run)
    assert (run.stripe.sends, run.stripe.looks) == (1, [])


async def test_a_pending_refund_is_asked_for_until_the_bank_has_it(run: RefundRun) -> None:
    await wait_for_the_bank(run)
    assert run.stripe.sends == 1
    waited = [look for look in run.stripe.looks if look < 31 * HOUR]
    assert len(waited) == 5


async def test_news_are_looked_at_when_they_come(run: RefundRun) -> None:
    await hear_of_it(run)
    assert HOUR <= run.stripe.looks[0] < 2 * HOUR


async def test_a_refund_that_fails_later_waits_for_staff(run: RefundRun) -> None:
    await fail_later(run)
    assert run.stripe.looks[-1] >= 10 * DAY
    assert run.stripe.checks == 1


async def test_a_worker_that_dies_after_each_step_does_not_refund_twice(run: RefundRun) -> None:
    await lose_answers(run)
    assert run.stripe.sends == 3
    assert run.stripe.lost_answers == 0


async def test_the_run_of_what_was_paid_for_hears_that_all_went_back(run: RefundRun) -> None:
    owner = await run.environment.client.start_workflow(
        Owner.run, id=f"sub:{uuid4()}", task_queue=run.queue
    )
    run.stripe.owner = owner.id
    with run.environment.auto_time_skipping_disabled():
        run.stripe.says = [(NOW, S.SUCCEEDED)]
        await run.start()
        assert await owner.result() == "the charge"


async def test_a_run_that_is_over_needs_not_to_hear_it(run: RefundRun) -> None:
    run.stripe.owner = "sub:gone"
    await succeed(run)


async def test_a_run_that_has_looked_often_goes_on_as_a_new_one(run: RefundRun) -> None:
    run.stripe.says = [(NOW, S.PENDING), (30 * HOUR, S.REFUSED)]
    handle = await run.start(looks_max=2)
    assert (await handle.result()).state is S.REFUSED
    assert run.stripe.sends > 1


async def test_the_sweep_is_one_step(run: RefundRun) -> None:
    report = await run.environment.client.execute_workflow(
        SweepRefunds.run, id="sweep", task_queue=run.queue
    )
    assert report == RefundSweepReport(runs_begun=1)
