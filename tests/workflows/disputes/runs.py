"""One dispute's run on a server that skips time, over a Stripe that a test scripts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from temporalio.client import WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from domain.disputes import Answer, AnswerPolicy, DisputeState
from domain.ids import dispute_workflow_id
from tests.workflows.payouts.runs import skipping_time
from tests.workflows.refunds.runs import Owner
from workflows.declarations import implements
from workflows.disputes import steps
from workflows.disputes.dispute import Dispute
from workflows.disputes.messages import DisputeLook, DisputeOrder, DisputeStep
from workflows.queues import Queue, queue_name
from workflows.runner import WORKFLOWS, workflow_runner

__all__ = ["DAY", "HOUR", "DisputeRun", "Handle", "dispute_run", "skipping_time"]

Handle = WorkflowHandle[Dispute, DisputeLook]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DUE = timedelta(days=9)
S = DisputeState


@dataclass
class ScriptedStripe:
    """How a dispute stands from which moment on, and what is answered."""

    says: list[tuple[timedelta, DisputeState]] = field(default_factory=list)
    """Since the first look; the latest that has come counts."""
    decides_after: timedelta = timedelta(days=5)
    """How long the bank takes to decide on evidence."""
    verdict: DisputeState = S.WON
    decided: Answer | None = None
    booked_after: timedelta = timedelta(0)
    owner: str | None = None
    lost_answers: int = 0
    """How many steps do their work and then die."""
    first: datetime | None = None
    looks: list[timedelta] = field(default_factory=list)
    answers: list[tuple[timedelta, Answer]] = field(default_factory=list)

    def _state(self, since: timedelta) -> DisputeState:
        said = [state for after, state in self.says if since >= after][-1]
        if not self.answers or said.is_final or not said.needs_answer:
            return said
        answered, answer = self.answers[-1]
        if answer is Answer.ACCEPT:
            return S.LOST
        if said.is_inquiry:
            return S.WARNING_UNDER_REVIEW
        if not any(after <= answered for after, state in self.says if state is said):
            return said
        return self.verdict if since >= answered + self.decides_after else S.UNDER_REVIEW

    def _look(self, step: DisputeStep) -> DisputeLook:
        assert self.first is not None
        since = step.at - self.first
        state = self._state(since)
        if self.lost_answers:
            self.lost_answers -= 1
            raise ApplicationError("the worker died before it could answer")
        due_by, policy = self.first + DUE, AnswerPolicy()
        return DisputeLook(
            state,
            answer=policy.due_answer(state=state, decided=self.decided, due_by=due_by, now=step.at),
            submits_at=policy.submits_at(due_by) if state.needs_answer else None,
            is_booked=since >= self.booked_after,
            tell_run=self.owner if state is S.LOST else None,
            charge_id="the charge",
        )

    @implements(steps.look_at_dispute)
    async def look_at_dispute(self, step: DisputeStep) -> DisputeLook:
        if self.first is None:
            self.first = step.at
        self.looks.append(step.at - self.first)
        return self._look(step)

    @implements(steps.answer_dispute)
    async def answer_dispute(self, step: DisputeStep) -> DisputeLook:
        assert self.first is not None
        since = step.at - self.first
        if self._state(since).needs_answer:
            self.answers.append((since, self.decided or Answer.SUBMIT))
        return self._look(step)


@dataclass
class DisputeRun:
    environment: WorkflowEnvironment
    stripe: ScriptedStripe
    queue: str
    dispute_id: str = field(default_factory=lambda: f"dp_{uuid4().hex}")

    async def start(self, **order: Any) -> Handle:
        return await self.environment.client.start_workflow(
            Dispute.run,
            DisputeOrder(self.dispute_id, **order),
            id=dispute_workflow_id(self.dispute_id),
            task_queue=self.queue,
        )


@asynccontextmanager
async def dispute_run(environment: WorkflowEnvironment) -> AsyncIterator[DisputeRun]:
    """Workers on queues of their own."""
    prefix = f"t{uuid4().hex[:8]}-"
    stripe = ScriptedStripe()
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
        activities=[stripe.look_at_dispute, stripe.answer_dispute],
    )
    async with workflows, money:
        yield DisputeRun(environment, stripe, queue)
