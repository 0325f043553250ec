"""Whole runs over months, with workers that die after each step has done its work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar
from uuid import uuid4

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.disputes import DisputeActivities
from activities.refunds import RefundActivities
from domain.disputes import DisputeState
from domain.ids import dispute_workflow_id, refund_workflow_id
from domain.refunds import RefundState
from infra.models import User
from tests.harness.sales import Sales
from tests.workflows.payouts.runs import skipping_time
from tests.workflows.refunds.runs import written_audit
from workflows.attention import OperatorChoice
from workflows.declarations import implements
from workflows.disputes import steps as dispute_steps
from workflows.disputes.dispute import Dispute
from workflows.disputes.messages import DisputeLook, DisputeOrder, DisputeStep
from workflows.queues import Queue, queue_name
from workflows.refunds import steps as refund_steps
from workflows.refunds.messages import RefundLook, RefundOrder, RefundStep
from workflows.refunds.refund import Refund
from workflows.runner import workflow_runner

T = TypeVar("T")


@dataclass
class DyingWorker:
    """Does each step twice: the first time nobody hears of what it did. Moves Stripe's clock to
    that of the runs."""

    sales: Sales
    refunding: RefundActivities
    following: DisputeActivities
    verdict: str | None = None
    """What the bank decides once it has evidence."""
    died: set[tuple[str, datetime]] = field(default_factory=set)

    def _do(self, name: str, at: datetime, work: Callable[[], T]) -> T:
        moment = int(at.timestamp())
        if moment > self.sales.local.now:
            self.sales.local.move_to(moment)
        done = work()
        if (name, at) not in self.died:
            self.died.add((name, at))
            raise ApplicationError("the worker died before it could answer")
        return done

    @implements(refund_steps.send_refund)
    def send_refund(self, step: RefundStep) -> RefundLook:
        return self._do("send", step.at, lambda: self.refunding.send_refund(step))

    @implements(refund_steps.look_at_refund)
    def look_at_refund(self, step: RefundStep) -> RefundLook:
        return self._do("look", step.at, lambda: self.refunding.look_at_refund(step))

    @implements(refund_steps.check_failed_refund)
    def check_failed_refund(self, step: RefundStep) -> RefundLook:
        return self.refunding.check_failed_refund(step)

    @implements(dispute_steps.look_at_dispute)
    def look_at_dispute(self, step: DisputeStep) -> DisputeLook:
        held = self.sales.local.scope().get("dispute", step.stripe_dispute_id)
        if self.verdict is not None and held["status"] == "under_review":
            self.sales.decide(step.stripe_dispute_id, self.verdict)
        return self._do("look", step.at, lambda: self.following.look_at_dispute(step))

    @implements(dispute_steps.answer_dispute)
    def answer_dispute(self, step: DisputeStep) -> DisputeLook:
        return self._do("answer", step.at, lambda: self.following.answer_dispute(step))


@pytest.fixture
def dying(sales: Sales, refunding: RefundActivities, following: DisputeActivities) -> DyingWorker:
    return DyingWorker(sales, refunding, following)


@asynccontextmanager
async def at_work(dying: DyingWorker) -> AsyncIterator[tuple[WorkflowEnvironment, str]]:
    """A server that skips time, and workers on queues of their own."""
    prefix = f"t{uuid4().hex[:8]}-"
    queue = queue_name(Queue.WORKFLOWS, prefix=prefix)
    async with skipping_time() as environment:
        with ThreadPoolExecutor(1) as pool:
            workflows = Worker(
                environment.client,
                task_queue=queue,
                workflows=[Refund, Dispute],
                workflow_runner=workflow_runner(),
            )
            money = Worker(
                environment.client,
                task_queue=queue_name(Queue.MONEY, prefix=prefix),
                activities=[
                    dying.send_refund,
                    dying.look_at_refund,
                    dying.check_failed_refund,
                    dying.look_at_dispute,
                    dying.answer_dispute,
                ],
                activity_executor=pool,
            )
            audit = Worker(
                environment.client,
                task_queue=queue_name(Queue.IO, prefix=prefix),
                activities=[written_audit],
            )
            async with workflows, money, audit:
                yield environment, queue


async def test_a_refund_that_is_sent_back_days_later_leaves_everything_as_it_was(
    sales: Sales, dying: DyingWorker, fan: User
) -> None:
    charge = sales.sell(fan, card="pm_card_refundFail")
    before = sales.balances()
    refund = sales.ask_refund(charge)
    async with at_work(dying) as (environment, queue):
        handle = await environment.client.start_workflow(
            Refund.run,
            RefundOrder(refund.id),
            id=refund_workflow_id(refund.id),
            task_queue=queue,
        )
        assert (await handle.execute_update(Refund.outcome)).state is RefundState.SUCCEEDED
        await environment.sleep(8 * 24 * 3600)
        async with asyncio.timeout(15):
            while not await handle.query(Refund.waiting_steps):
                await asyncio.sleep(0.02)
        await handle.execute_update(
            Refund.skip_step, OperatorChoice("failed_refund", "ops", "paid by hand")
        )
        assert (await handle.result()).state is RefundState.FAILED
    assert len(dying.died) > 1
    assert len(sales.local.scope().all("refund")) == 1
    assert sales.balances() == before
    sales.check_books()


@pytest.mark.parametrize("verdict", ["won", "lost"])
async def test_a_dispute_is_answered_in_time_and_settled_once(
    sales: Sales, dying: DyingWorker, fan: User, verdict: str
) -> None:
    charge = sales.sell(fan)
    before = sales.balances()
    dispute_id = sales.dispute(charge)
    dying.verdict = verdict
    async with at_work(dying) as (environment, queue):
        handle = await environment.client.start_workflow(
            Dispute.run,
            DisputeOrder(dispute_id),
            id=dispute_workflow_id(dispute_id),
            task_queue=queue,
        )
        assert (await handle.result()).state is DisputeState(verdict)
    held = sales.local.scope().get("dispute", dispute_id)
    assert held["evidence_details"]["submission_count"] == 1
    assert {name for name, _ in dying.died} == {"look", "answer"}
    assert sales.has_right(charge) is (verdict == "won")
    fee = 1_500
    if verdict == "won":
        assert sales.balances() == before | {
            "stripe_clearing": before["stripe_clearing"] + fee,
            "stripe_fees": before["stripe_fees"] - fee,
        }
    else:
        assert sales.balances() == {"stripe_clearing": 59 + fee, "stripe_fees": -59 - fee}
    sales.check_books()
