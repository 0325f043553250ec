"""One comparison's run on a server that skips time, over books that a test scripts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import uuid4

from temporalio.client import WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from tests.workflows.payouts.runs import skipping_time
from tests.workflows.refunds.runs import written_audit
from workflows.declarations import implements
from workflows.policies import BLOCKED
from workflows.queues import Queue, queue_name
from workflows.reconcile import steps
from workflows.reconcile.messages import ReconcileReport, ReconcileStep
from workflows.reconcile.reconcile import Reconcile
from workflows.runner import WORKFLOWS, workflow_runner

__all__ = ["Handle", "ReconcileRun", "reconcile_run", "skipping_time"]

Handle = WorkflowHandle[Reconcile, ReconcileReport | None]


@dataclass
class ScriptedBooks:
    breaks: int = 0
    may_be_late: bool = False
    comes_late: bool = False
    """Whether what may be late is there the second time."""
    comparisons: int = 0

    @implements(steps.compare_books)
    async def compare_books(self, step: ReconcileStep) -> ReconcileReport:
        self.comparisons += 1
        table = "| amounts_differ | ch_1 |" if self.breaks else ""
        report = ReconcileReport(
            step.at.isoformat(), 3, self.breaks, table, may_be_late=self.may_be_late
        )
        self.breaks = 0 if self.comes_late else self.breaks
        return report

    @implements(steps.stop_for_breaks)
    async def stop_for_breaks(self, report: ReconcileReport) -> None:
        raise ApplicationError("they differ", "books_differ", type=BLOCKED, non_retryable=True)


@dataclass
class ReconcileRun:
    environment: WorkflowEnvironment
    books: ScriptedBooks
    queue: str
    name: str = field(default_factory=lambda: f"sweep:reconcile-{uuid4()}")

    async def start(self) -> Handle:
        return await self.environment.client.start_workflow(
            Reconcile.run, id=self.name, task_queue=self.queue
        )

    async def waiting(self, handle: Handle) -> None:
        """Until the run waits for an operator."""
        async with asyncio.timeout(15):
            while not await handle.query(Reconcile.waiting_steps):
                await asyncio.sleep(0.02)


@asynccontextmanager
async def reconcile_run(environment: WorkflowEnvironment) -> AsyncIterator[ReconcileRun]:
    """Workers on queues of their own."""
    prefix = f"t{uuid4().hex[:8]}-"
    books = ScriptedBooks()
    queue = queue_name(Queue.WORKFLOWS, prefix=prefix)
    workflows = Worker(
        environment.client,
        task_queue=queue,
        workflows=list(WORKFLOWS),
        workflow_runner=workflow_runner(),
    )
    money = Worker(
        environment.client,
        task_queue=queue_name(Queue.MONEY, prefix=prefix),
        activities=[books.compare_books, books.stop_for_breaks],
    )
    audit = Worker(
        environment.client,
        task_queue=queue_name(Queue.IO, prefix=prefix),
        activities=[written_audit],
    )
    async with workflows, money, audit:
        yield ReconcileRun(environment, books, queue)
