"""One subscription's run on a server that skips time, over a row in memory.

The row does what the real one does as far as a run can see it: it asks the domain what comes
next. What a charge does to it is tested on Postgres (`tests/integration/subscriptions`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from temporalio.client import WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from domain.charges.states import ChargeState, DeclineKind
from domain.ids import subscription_workflow_id
from domain.subscriptions.dunning import after_decline
from domain.subscriptions.life import (
    FIRST_PAYMENT_TIME,
    Standing,
    Step,
    StepKind,
    look_again_at,
    next_step,
)
from domain.subscriptions.periods import months_after
from domain.subscriptions.states import EndReason, SubscriptionState
from tests.workflows.payouts.runs import skipping_time
from workflows.auditing import AuditInput, record_audit
from workflows.declarations import implements
from workflows.policies import BLOCKED
from workflows.queues import Queue, queue_name
from workflows.runner import WORKFLOWS, workflow_runner
from workflows.subscriptions import steps
from workflows.subscriptions.messages import (
    Change,
    ChangeKind,
    ChangeResult,
    Refusal,
    SubscriptionLook,
    SubscriptionOrder,
    SubscriptionSweepOrder,
    SubscriptionSweepReport,
    Tending,
)
from workflows.subscriptions.subscription import KeepSubscription

__all__ = ["DAY", "Handle", "SubscriptionRun", "skipping_time", "subscription_run"]

Handle = WorkflowHandle[KeepSubscription, SubscriptionLook]
DAY = timedelta(days=1)
S = SubscriptionState


@dataclass
class RowInMemory:
    says: list[str] = field(default_factory=list)
    """What the bank says of each try: `paid`, `soft`, `hard` or `asks`; `paid` after the last."""
    lost_answers: int = 0
    """How many steps do their work, and then their worker dies."""
    blocked: int = 0
    """How often the step can't be done without an operator."""
    state: SubscriptionState = S.INCOMPLETE
    created_at: datetime | None = None
    anchor: datetime | None = None
    period: int = 0
    charge: ChargeState | None = None
    asked_at: datetime | None = None
    decline_code: str | None = None
    declined: list[datetime] = field(default_factory=list)
    retry_at: datetime | None = None
    give_up_at: datetime | None = None
    resume_at: datetime | None = None
    pays_now: bool = False
    must_end: EndReason | None = None
    end_reason: EndReason | None = None
    charged: list[datetime] = field(default_factory=list)
    tendings: int = 0

    @implements(steps.tend_subscription)
    async def tend_subscription(self, tending: Tending) -> SubscriptionLook:
        if self.blocked:
            self.blocked -= 1
            raise ApplicationError("a bug", "payment_request_refused", type=BLOCKED)
        self.tendings += 1
        self.created_at = self.created_at or tending.at
        look = self._do_what_is_due(tending.at)
        if self.lost_answers:
            self.lost_answers -= 1
            raise ApplicationError("the worker died before it could answer")
        return look

    @implements(steps.change_subscription)
    async def change_subscription(self, change: Change) -> ChangeResult:
        if self.state.is_final:
            return ChangeResult(refusal=Refusal("subscription_ended", "It is over."))
        match change.kind:
            case ChangeKind.CANCEL if change.now:
                self._end(EndReason.FAN)
            case ChangeKind.CANCEL:
                self.state = S.CANCELING
            case ChangeKind.RESUME:
                self.state = S.ACTIVE if self.state is S.CANCELING else self.state
                self.resume_at = change.at if self.state is S.PAUSED else None
            case ChangeKind.PAUSE:
                self.resume_at = change.resume_at
            case _:
                self.pays_now = self.state is S.PAST_DUE
        return ChangeResult()

    @implements(steps.sweep_subscriptions)
    async def sweep_subscriptions(self, order: SubscriptionSweepOrder) -> SubscriptionSweepReport:
        del order
        return SubscriptionSweepReport(tended_runs=1)

    @property
    def period_end(self) -> datetime | None:
        return months_after(self.anchor, self.period) if self.anchor is not None else None

    def _do_what_is_due(self, at: datetime) -> SubscriptionLook:
        while True:
            step = self._next_step(at)
            match step.kind:
                case StepKind.WAIT | StepKind.DONE:
                    return self._look(step.until)
                case StepKind.CHARGE:
                    self._charge(at)
                case StepKind.LOOK:
                    if not self.says or self.says.pop(0) == "asks":
                        assert self.asked_at is not None
                        over_at = self.asked_at + FIRST_PAYMENT_TIME
                        return self._look(min(look_again_at(self.asked_at, at), over_at))
                    self._pay(at)
                case StepKind.GIVE_UP_CHARGE:
                    self.charge = None
                    if not self.state.is_final:
                        self._end(EndReason.NEVER_PAID)
                case StepKind.PAUSE:
                    self.state = S.PAUSED
                case _:
                    assert step.reason is not None, step
                    self._end(step.reason)

    def _next_step(self, at: datetime) -> Step:
        assert self.created_at is not None
        expires_at = self.asked_at + FIRST_PAYMENT_TIME if self.asked_at is not None else None
        standing = Standing(
            state=self.state,
            created_at=self.created_at,
            period_end=self.period_end,
            charge_under_way=self.charge is not None,
            charge_expires_at=expires_at,
            must_end=self.must_end,
            wants_payment=self.pays_now,
            retry_at=self.retry_at,
            give_up_at=self.give_up_at,
            resume_at=self.resume_at,
        )
        return next_step(standing, at)

    def _charge(self, at: datetime) -> None:
        answer = self.says.pop(0) if self.says else "paid"
        self.charged.append(at)
        if answer == "paid":
            self._pay(at)
        elif answer == "asks":
            self.charge, self.asked_at = ChargeState.REQUIRES_ACTION, at
        else:
            self._decline(DeclineKind(answer), at)

    def _pay(self, at: datetime) -> None:
        if self.anchor is None or self.state is S.PAUSED:
            self.anchor, self.period = at, 0
        self.period += 1
        self.state, self.charge, self.asked_at = S.ACTIVE, None, None
        self.decline_code = self.retry_at = self.give_up_at = self.resume_at = None
        self.pays_now = False
        self.declined.clear()

    def _decline(self, kind: DeclineKind, at: datetime) -> None:
        self.decline_code = "generic_decline"
        if self.state is S.INCOMPLETE:
            self._end(EndReason.NEVER_PAID)
            return
        self.declined.append(at)
        self.state, self.pays_now = S.PAST_DUE, False
        plan = after_decline(
            kind, retries_done=len(self.declined) - 1, first_declined_at=self.declined[0], at=at
        )
        self.retry_at, self.give_up_at = plan.retry_at, plan.give_up_at

    def _end(self, reason: EndReason) -> None:
        self.state, self.end_reason = reason.state, reason

    def _look(self, wake_at: datetime | None) -> SubscriptionLook:
        return SubscriptionLook(
            state=self.state,
            period_index=self.period,
            wake_at=wake_at,
            charge_state=self.charge,
            decline_code=self.decline_code,
            end_reason=self.end_reason.value if self.end_reason else None,
        )


@implements(record_audit)
async def written_audit(entry: AuditInput) -> None:
    del entry


@dataclass
class SubscriptionRun:
    environment: WorkflowEnvironment
    row: RowInMemory
    queue: str
    subscription_id: str = field(default_factory=lambda: str(uuid4()))

    async def start(self, **order: Any) -> Handle:
        """Start the run, or wake the one that is there, and hear how it stands."""
        await self.environment.client.start_workflow(
            KeepSubscription.run,
            SubscriptionOrder(self.subscription_id, str(uuid4()), **order),
            id=subscription_workflow_id(self.subscription_id),
            task_queue=self.queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
        return self.handle

    @property
    def handle(self) -> Handle:
        """Of whichever run is the latest of the chain."""
        return self.environment.client.get_workflow_handle(
            subscription_workflow_id(self.subscription_id), result_type=SubscriptionLook
        )

    async def pass_time(self, duration: timedelta) -> None:
        await self.environment.sleep(duration)

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(15):
            while not holds():
                await asyncio.sleep(0.02)


@asynccontextmanager
async def subscription_run(environment: WorkflowEnvironment) -> AsyncIterator[SubscriptionRun]:
    """Workers on queues of their own, and a row that nobody has looked at yet."""
    prefix = f"t{uuid4().hex[:8]}-"
    row = RowInMemory()
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
        activities=[row.tend_subscription, row.change_subscription, row.sweep_subscriptions],
    )
    audit = Worker(
        environment.client,
        task_queue=queue_name(Queue.IO, prefix=prefix),
        activities=[written_audit],
    )
    async with workflows, money, audit:
        yield SubscriptionRun(environment, row, queue)
