"""One refund's run on a server that skips time, over a Stripe that a test scripts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from temporalio import workflow
from temporalio.client import WorkflowHandle, WorkflowUpdateStage
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from domain.ids import refund_workflow_id
from domain.refunds import WATCHED, RefundState
from tests.workflows.payouts.runs import skipping_time
from workflows.auditing import AuditInput, record_audit
from workflows.declarations import implements
from workflows.policies import BLOCKED
from workflows.queues import Queue, queue_name
from workflows.refunds import steps
from workflows.refunds.messages import (
    RefundLook,
    RefundOrder,
    RefundStep,
    RefundSweep,
    RefundSweepReport,
)
from workflows.refunds.refund import Refund
from workflows.runner import WORKFLOWS, workflow_runner

__all__ = ["Handle", "RefundRun", "refund_run", "skipping_time"]

Handle = WorkflowHandle[Refund, RefundLook]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@workflow.defn(sandboxed=False)
class Owner:
    """Stands for the run that a charge belongs to."""

    def __init__(self) -> None:
        self._taken_back: str | None = None

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: self._taken_back is not None)
        assert self._taken_back is not None
        return self._taken_back

    @workflow.signal
    def charge_taken_back(self, charge_id: str) -> None:
        self._taken_back = charge_id


@dataclass
class ScriptedStripe:
    """What Stripe says of the refund from which moment on, and who asks."""

    clock: Callable[[], Any]
    says: list[tuple[timedelta, RefundState]] = field(default_factory=list)
    """Since the first question; the latest that has come counts."""
    owner: str | None = None
    lost_answers: int = 0
    """How many steps do their work and then die."""
    sent_at: datetime | None = None
    sends: int = 0
    looks: list[timedelta] = field(default_factory=list)
    checks: int = 0
    paid_otherwise: bool = False

    async def _look(self, step: RefundStep) -> RefundLook:
        if self.sent_at is None:
            self.sent_at = step.at
        since = step.at - self.sent_at
        state = [state for after, state in self.says if since >= after][-1]
        if self.lost_answers:
            self.lost_answers -= 1
            raise ApplicationError("the worker died before it could answer")
        return RefundLook(
            step.refund_id,
            state,
            refused_code="charge_disputed" if state is RefundState.REFUSED else None,
            watched_until=self.sent_at + WATCHED if state is RefundState.SUCCEEDED else None,
            tell_run=self.owner if state.is_posted else None,
            charge_id="the charge",
        )

    @implements(steps.send_refund)
    async def send_refund(self, step: RefundStep) -> RefundLook:
        self.sends += 1
        return await self._look(step)

    @implements(steps.look_at_refund)
    async def look_at_refund(self, step: RefundStep) -> RefundLook:
        assert self.sent_at is not None
        self.looks.append(step.at - self.sent_at)
        return await self._look(step)

    @implements(steps.check_failed_refund)
    async def check_failed_refund(self, step: RefundStep) -> RefundLook:
        self.checks += 1
        if not self.paid_otherwise:
            raise ApplicationError("sent back", "refund_failed", type=BLOCKED, non_retryable=True)
        return RefundLook(step.refund_id, RefundState.FAILED)

    @implements(steps.sweep_refunds)
    async def sweep_refunds(self, sweep: RefundSweep) -> RefundSweepReport:
        return RefundSweepReport(runs_begun=1)


@implements(record_audit)
async def written_audit(entry: AuditInput) -> None:
    del entry


@dataclass
class RefundRun:
    environment: WorkflowEnvironment
    stripe: ScriptedStripe
    queue: str
    refund_id: str = field(default_factory=lambda: str(uuid4()))

    async def start(self, **order: Any) -> Handle:
        return await self.environment.client.start_workflow(
            Refund.run,
            RefundOrder(self.refund_id, **order),
            id=refund_workflow_id(self.refund_id),
            task_queue=self.queue,
        )

    async def outcome(self, handle: Handle) -> RefundLook:
        update = await handle.start_update(
            Refund.outcome, wait_for_stage=WorkflowUpdateStage.COMPLETED
        )
        return await update.result()

    async def waiting_step(self, handle: Handle) -> None:
        """Until a step waits for an operator."""
        async with asyncio.timeout(15):
            while not await handle.query(Refund.waiting_steps):
                await asyncio.sleep(0.02)


@asynccontextmanager
async def refund_run(environment: WorkflowEnvironment) -> AsyncIterator[RefundRun]:
    """Workers on queues of their own."""
    prefix = f"t{uuid4().hex[:8]}-"
    stripe = ScriptedStripe(environment.get_current_time)
    queue = queue_name(Queue.WORKFLOWS, prefix=prefix)
    workflows = Worker(
        environment.client,
        task_queue=queue,
        workflows=[*WORKFLOWS, Owner],
        workflow_runner=workflow_runner(),
    )
    money = Worker(
        environment.client,
        task_queue=queue_name(Queue.MONEY, prefix=prefix),
        activities=[
            stripe.send_refund,
            stripe.look_at_refund,
            stripe.check_failed_refund,
            stripe.sweep_refunds,
        ],
    )
    audit = Worker(
        environment.client,
        task_queue=queue_name(Queue.IO, prefix=prefix),
        activities=[written_audit],
    )
    async with workflows, money, audit:
        yield RefundRun(environment, stripe, queue)
