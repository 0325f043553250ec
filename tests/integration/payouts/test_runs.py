"""Whole runs: the real workflow and steps, a local Stripe, and a server that skips time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from temporalio.client import WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
    Worker,
)

from activities.auditing import AuditActivities
from domain.ids import payout_workflow_id
from domain.payouts.states import PROVISIONAL, PayoutState
from infra.settings import Settings
from tests.harness.earnings import Earner
from tests.integration.payouts.paying import DAY, Till, till_of
from tests.workflows.payouts.runs import PayoutRun, skipping_time
from tests.workflows.payouts.scripted import Scripted
from workflows.payouts.messages import PayoutLook, Verdict
from workflows.queues import Queue, queue_name
from workflows.runner import WORKFLOWS, workflow_runner

S = PayoutState
STEPS = ("open_payout", "send_payout", "look_at_payout", "return_payout")


class DiesOnce(Interceptor):
    """Each step does its work, and its first answer is lost: the worker died after it."""

    def __init__(self) -> None:
        self.died: set[str] = set()

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Dies(next, self.died)


class _Dies(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, died: set[str]) -> None:
        super().__init__(next)
        self._died = died

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        done = await super().execute_activity(input)
        name = input.fn.__name__
        if name not in self._died:
            self._died.add(name)
            raise ApplicationError("the worker died before it could answer")
        return done


@asynccontextmanager
async def working(
    environment: WorkflowEnvironment, till: Till, dies: DiesOnce
) -> AsyncIterator[PayoutRun]:
    prefix = f"t{uuid4().hex[:8]}-"
    queue = queue_name(Queue.WORKFLOWS, prefix=prefix)
    money = [
        *till.sending.on_queues()[Queue.MONEY],
        *till.returning.on_queues()[Queue.MONEY],
    ]
    with ThreadPoolExecutor(4) as threads:
        workers = (
            Worker(
                environment.client,
                task_queue=queue,
                workflows=list(WORKFLOWS),
                workflow_runner=workflow_runner(),
            ),
            Worker(
                environment.client,
                task_queue=queue_name(Queue.MONEY, prefix=prefix),
                activities=money,
                activity_executor=threads,
                interceptors=[dies],
            ),
            Worker(
                environment.client,
                task_queue=queue_name(Queue.IO, prefix=prefix),
                activities=AuditActivities(till.earner.engine).on_queues()[Queue.IO],
                activity_executor=threads,
            ),
        )
        async with workers[0], workers[1], workers[2]:
            started = await environment.get_current_time()
            yield PayoutRun(environment, Scripted(), queue, started)


@pytest.fixture
def till(settings: Settings, earner: Earner) -> Till:
    made = till_of(settings, earner)
    made.open_account()
    made.fund_platform(100_000)
    earner.earn(12_000)
    return made


async def start(run: PayoutRun, till: Till) -> WorkflowHandle[Any, PayoutLook]:
    run.payout_id = till.ask()
    handle = await run.start()
    assert handle.id == payout_workflow_id(run.payout_id)
    await run.asleep(handle)
    return handle


async def pass_days(run: PayoutRun, till: Till, days: float) -> None:
    """At Stripe first, so that whoever looks in between sees what is there."""
    till.pass_time(days * DAY)
    await run.pass_time(days * DAY)


async def test_a_payout_from_wish_to_settled_with_a_worker_that_dies_after_each_step(
    till: Till,
) -> None:
    dies = DiesOnce()
    async with skipping_time() as environment, working(environment, till, dies) as run:
        handle = await start(run, till)
        await pass_days(run, till, 3)
        assert till.row(run.payout_id).state == "paid"
        till.pass_time(PROVISIONAL)
        assert (await handle.result()).state is S.SETTLED
    assert dies.died == {"open_payout", "send_payout", "look_at_payout"}
    assert till.made() == (1, 1, 0)
    assert till.earner.balances() == {}


async def test_a_payout_that_fails_after_it_was_paid_with_a_worker_that_dies_after_each_step(
    till: Till,
) -> None:
    dies = DiesOnce()
    async with skipping_time() as environment, working(environment, till, dies) as run:
        handle = await start(run, till)
        await pass_days(run, till, 3)
        assert till.row(run.payout_id).state == "paid"
        till.fail(run.payout_id)
        assert (await handle.result()).state is S.RETURNED
    assert dies.died >= set(STEPS)
    assert till.made() == (1, 1, 1)
    assert till.earner.balances() == {"available": 12_000}


async def test_staff_approve_by_the_run(settings: Settings, earner: Earner) -> None:
    till = till_of(settings, earner, review_first=True)
    till.open_account()
    till.fund_platform(100_000)
    earner.earn(12_000)
    async with skipping_time() as environment, working(environment, till, DiesOnce()) as run:
        handle = await start(run, till)
        assert till.row(run.payout_id).state == "review"
        await handle.execute_update("approve", Verdict("ada", "Passport fits"))
        await run.until(lambda: till.row(run.payout_id).state == "in_transit")
        row = till.row(run.payout_id)
        assert (row.decided_by, row.decision_note) == ("ada", "Passport fits")
        till.pass_time(3 * DAY)
        assert (await handle.result()).state is S.SETTLED


async def test_a_reversal_that_fails_waits_for_an_operator(till: Till) -> None:
    async with skipping_time() as environment, working(environment, till, DiesOnce()) as run:
        handle = await start(run, till)
        till.fail(run.payout_id)
        till.book(-5_000)
        await handle.signal("stripe_changed", args=["payout.failed", "po_1"])
        await run.until(lambda: till.row(run.payout_id).attention_step == "return")
        row = till.row(run.payout_id)
        assert (row.state, row.attention_reason) == ("needs_ops", "payout_reversal_refused")
        assert till.earner.balances() == {"payout_in_flight": 12_000}
        till.book(5_000)
        await handle.execute_update("retry_step", {"step": "return", "operator": "ada"})
        assert (await handle.result()).state is S.RETURNED
    assert till.row(run.payout_id).attention_step is None
    assert till.earner.balances() == {"available": 12_000}
