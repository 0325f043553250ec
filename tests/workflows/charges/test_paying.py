"""Orchestration of what is paid for once: outcomes, waiting, second tries, dying workers."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from domain.charges.states import ACTION_TTL, ChargeState
from tests.workflows.charges.record import (
    BRANCHES,
    be_paid,
    confirm,
    find_out,
    give_up,
    give_up_too_late,
)
from tests.workflows.charges.runs import HOUR, PaymentRun
from workflows.charges.messages import ChargeSweepReport
from workflows.charges.sweep import SweepCharges

S = ChargeState
NOW = timedelta(0)


@pytest.mark.parametrize("branch", sorted(BRANCHES))
async def test_every_payment_comes_to_an_end(run: PaymentRun, branch: str) -> None:
    handle = await BRANCHES[branch](run)
    assert (await run.result(handle)).state.is_final


async def test_a_payment_that_goes_through_is_one_step(run: PaymentRun) -> None:
    await be_paid(run)
    assert (run.bank.charges, run.bank.looks) == (1, [])


async def test_six_devices_ask_and_one_charge_is_made(run: PaymentRun) -> None:
    run.bank.says = {1: [(NOW, S.PAID)]}
    heard = await asyncio.gather(*(run.pay() for _ in range(6)))
    assert {outcome.state for outcome, _ in heard} == {S.PAID}
    assert run.bank.charges == 1


async def test_who_says_that_they_have_confirmed_is_looked_for_at_once(run: PaymentRun) -> None:
    await confirm(run)
    assert [look < timedelta(seconds=59) for look in run.bank.looks] == [True]


async def test_without_a_word_it_is_looked_for_less_and_less_often(run: PaymentRun) -> None:
    await find_out(run)
    assert len(run.bank.looks) == 5
    assert run.bank.looks[-1] < 9 * HOUR


async def test_after_23_hours_an_unconfirmed_payment_is_given_up(run: PaymentRun) -> None:
    await give_up(run)
    assert [ACTION_TTL <= each < ACTION_TTL + HOUR / 60 for each in run.bank.given_up] == [True]


async def test_what_was_paid_in_the_last_moment_counts(run: PaymentRun) -> None:
    await give_up_too_late(run)
    assert len(run.bank.given_up) == 1


async def test_a_second_try_is_made_whether_the_first_run_has_ended_or_not(
    run: PaymentRun,
) -> None:
    run.bank.says = {1: [(NOW, S.DECLINED)], 2: [(NOW, S.PAID)]}
    first, _ = await run.pay()
    second, handle = await run.pay(generation=2)
    assert (first.state, second.state) == (S.DECLINED, S.PAID)
    assert second.generation == 2
    assert sorted(run.bank.charged) == [1, 2]
    assert (await run.result(handle)).state is S.PAID


@pytest.mark.parametrize("deaths", [1, 2, 3])
async def test_workers_that_die_after_each_step_change_nothing(
    run: PaymentRun, deaths: int
) -> None:
    run.bank.lost_answers = deaths
    await find_out(run)


async def test_the_sweep_reports(run: PaymentRun) -> None:
    report = await run.environment.client.execute_workflow(
        SweepCharges.run, id="sweep", task_queue=run.queue
    )
    assert report == ChargeSweepReport(runs_tended=1)
