"""Orchestration of a batch, and of watching accounts."""

from __future__ import annotations

from datetime import timedelta

from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from domain.ids import payout_workflow_id
from domain.payouts.states import BankState
from tests.workflows.payouts.record import (
    continue_the_batch,
    hear_of_the_account,
    onboard,
    pay_all,
)
from tests.workflows.payouts.runs import PayoutRun, payout_run


async def test_everybody_on_every_page_is_paid_once(run: PayoutRun) -> None:
    await pay_all(run)
    assert sorted(run.scripted.rows) == ["a", "b", "c", "d"]
    [end] = run.scripted.ended_batches
    assert (end.started, end.skipped) == (4, 3)


async def test_payouts_go_on_when_their_batch_is_over(workflow_client: Client) -> None:
    """On a full server: one that skips time loses children whose parent is over."""
    environment = WorkflowEnvironment.from_client(workflow_client)
    async with payout_run(environment) as run:
        run.scripted.page_of(run.payout_id)
        handle = await run.start_batch()
        await handle.result()
        run.scripted.bank = BankState.FAILED
        child = workflow_client.get_workflow_handle(payout_workflow_id(run.payout_id))
        await child.signal("stripe_changed", args=["payout.failed", "po_1"])
        await child.result()
        assert run.row.reversals == 1


async def test_one_that_waits_for_staff_keeps_nobody_else_waiting(run: PayoutRun) -> None:
    run.scripted.reviewed = True
    run.scripted.page_of("a", "b", "c")
    handle = await run.start_batch(window=1)
    with run.environment.auto_time_skipping_disabled():
        assert (await handle.result()).started == 3


async def test_one_that_is_blocked_keeps_nobody_else_waiting(run: PayoutRun) -> None:
    run.scripted.blocked = ["open"]
    run.scripted.page_of("a", "b")
    handle = await run.start_batch(window=1)
    with run.environment.auto_time_skipping_disabled():
        assert (await handle.result()).started == 2


async def test_a_payout_that_has_its_run_already_is_not_started_again(run: PayoutRun) -> None:
    run.payout_id = "a"
    await run.asleep(await run.start())
    run.scripted.page_of("a", "b")
    handle = await run.start_batch(window=1)
    assert (await handle.result()).started == 1


async def test_a_long_batch_goes_on_as_a_new_run(run: PayoutRun) -> None:
    await continue_the_batch(run)
    assert [page.after for page in run.scripted.asked_pages] == [None, "1"]
    assert len({page.day for page in run.scripted.asked_pages}) == 1


async def test_an_account_is_asked_for_until_it_is_ready(run: PayoutRun) -> None:
    await onboard(run)
    assert run.scripted.looks == 4
    assert timedelta(minutes=3, seconds=30) <= run.last_after < timedelta(minutes=4)


async def test_an_account_that_changes_is_read_at_once(run: PayoutRun) -> None:
    await hear_of_the_account(run)
    assert run.scripted.looks == 2
