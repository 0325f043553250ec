"""One payment's run on a server that skips time, over a bank that a test scripts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from temporalio.client import (
    WithStartWorkflowOperation,
    WorkflowExecutionStatus,
    WorkflowHandle,
)
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from domain.charges.states import ACTION_TTL, ChargeKind, ChargeState, DeclineKind
from domain.ids import gift_workflow_id, tip_workflow_id, unlock_workflow_id
from tests.workflows.payouts.runs import skipping_time
from workflows.auditing import AuditInput, record_audit
from workflows.charges import steps
from workflows.charges.messages import (
    ChargeLook,
    ChargeOrder,
    ChargeOutcome,
    ChargeSweepOrder,
    ChargeSweepReport,
)
from workflows.charges.paying import PaysOnce
from workflows.declarations import implements
from workflows.gifts.give import GiveGift
from workflows.policies import BLOCKED
from workflows.queues import Queue, queue_name
from workflows.runner import WORKFLOWS, workflow_runner
from workflows.tips.send import SendTip
from workflows.unlocks.unlock import UnlockContent

__all__ = ["Handle", "PaymentRun", "payment_run", "skipping_time"]

Handle = WorkflowHandle[PaysOnce, ChargeOutcome]
WORKFLOW_OF: dict[ChargeKind, type[UnlockContent | SendTip | GiveGift]] = {
    ChargeKind.UNLOCK: UnlockContent,
    ChargeKind.TIP: SendTip,
    ChargeKind.GIFT: GiveGift,
}
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
S = ChargeState


@dataclass
class ScriptedBank:
    """What the bank says of each try from which moment on, and who asks."""

    says: dict[int, list[tuple[timedelta, ChargeState]]] = field(default_factory=dict)
    """By generation, since it was charged; the latest that has come counts."""
    lost_answers: int = 0
    """How many steps do their work and then die."""
    refusals: int = 0
    """How many charges are refused as a fault of ours, for an operator to see to."""
    charged: dict[int, datetime] = field(default_factory=dict)
    charges: int = 0
    looks: list[timedelta] = field(default_factory=list)
    given_up: list[timedelta] = field(default_factory=list)

    @implements(steps.take_charge)
    async def take_charge(self, order: ChargeOrder) -> ChargeOutcome:
        if self.refusals:
            self.refusals -= 1
            raise ApplicationError("refused", "payment_request_refused", type=BLOCKED)
        self.charges += 1
        self.charged.setdefault(order.generation, order.at)
        return self._answer(order.generation, order.at)

    @implements(steps.look_at_charge)
    async def look_at_charge(self, look: ChargeLook) -> ChargeOutcome:
        generation = int(look.charge_id)
        self.looks.append(look.at - self.charged[generation])
        return self._answer(generation, look.at)

    @implements(steps.give_up_charge)
    async def give_up_charge(self, look: ChargeLook) -> ChargeOutcome:
        generation = int(look.charge_id)
        self.given_up.append(look.at - self.charged[generation])
        outcome = self._answer(generation, look.at)
        return outcome if outcome.state.is_final else replace(outcome, state=S.CANCELED)

    @implements(steps.sweep_charges)
    async def sweep_charges(self, order: ChargeSweepOrder) -> ChargeSweepReport:
        return ChargeSweepReport(runs_tended=1)

    def _answer(self, generation: int, at: datetime) -> ChargeOutcome:
        charged_at = self.charged[generation]
        state = [state for after, state in self.says[generation] if at - charged_at >= after][-1]
        if self.lost_answers:
            self.lost_answers -= 1
            raise ApplicationError("the worker died before it could answer")
        is_declined = state is S.DECLINED
        return ChargeOutcome(
            charge_id=str(generation),
            state=state,
            decline_code="insufficient_funds" if is_declined else None,
            decline_kind=DeclineKind.SOFT if is_declined else None,
            expires_at=charged_at + ACTION_TTL if state is S.REQUIRES_ACTION else None,
            generation=generation,
        )


@implements(record_audit)
async def written_audit(entry: AuditInput) -> None:
    del entry


@dataclass
class PaymentRun:
    environment: WorkflowEnvironment
    bank: ScriptedBank
    queue: str
    kind: ChargeKind = ChargeKind.UNLOCK
    subject_id: str = field(default_factory=lambda: str(uuid4()))

    def order(self, generation: int = 1) -> ChargeOrder:
        return ChargeOrder(
            kind=self.kind,
            subject_id=self.subject_id,
            step="charge",
            generation=generation,
            fan_id="fan",
            creator_id="creator",
            amount_minor=999,
            currency="USD",
            payment_method_id="pm_1",
            off_session=False,
            workflow_id=self._workflow_id(),
            at=datetime(2000, 1, 1),
        )

    def _workflow_id(self) -> str:
        match self.kind:
            case ChargeKind.TIP:
                return tip_workflow_id(self.subject_id)
            case ChargeKind.GIFT:
                return gift_workflow_id(self.subject_id)
            case _:
                return unlock_workflow_id("fan", self.subject_id)

    async def pay(self, generation: int = 1) -> tuple[ChargeOutcome, Handle]:
        """As the API does: start the run or find it, and hear how the try stands."""
        order = self.order(generation)
        run: Any = WORKFLOW_OF[self.kind].run
        start: WithStartWorkflowOperation[PaysOnce, ChargeOutcome] = WithStartWorkflowOperation(
            run,
            order,
            id=order.workflow_id,
            task_queue=self.queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
        outcome = await self.environment.client.execute_update_with_start_workflow(
            PaysOnce.pay, order, start_workflow_operation=start
        )
        return outcome, await start.workflow_handle()

    async def result(self, handle: Handle) -> ChargeOutcome:
        """How it ends. Time is skipped hour by hour: the handle of an update that starts its run
        skips none by itself."""
        while (await handle.describe()).status is WorkflowExecutionStatus.RUNNING:
            await self.environment.sleep(HOUR)
        return await handle.result()

    async def waiting_step(self, handle: Handle) -> None:
        """Until a step waits for an operator."""
        async with asyncio.timeout(15):
            while not await handle.query(PaysOnce.waiting_steps):
                await asyncio.sleep(0.02)


@asynccontextmanager
async def payment_run(environment: WorkflowEnvironment) -> AsyncIterator[PaymentRun]:
    """Workers on queues of their own."""
    prefix = f"t{uuid4().hex[:8]}-"
    bank = ScriptedBank()
    queue = queue_name(Queue.WORKFLOWS, prefix=prefix)
    options: dict[str, Any] = {"client": environment.client}
    workflows = Worker(
        **options,
        task_queue=queue,
        workflows=list(WORKFLOWS),
        workflow_runner=workflow_runner(),
    )
    money = Worker(
        **options,
        task_queue=queue_name(Queue.MONEY, prefix=prefix),
        activities=[
            bank.take_charge,
            bank.look_at_charge,
            bank.give_up_charge,
            bank.sweep_charges,
        ],
    )
    audit = Worker(
        **options, task_queue=queue_name(Queue.IO, prefix=prefix), activities=[written_audit]
    )
    async with workflows, money, audit:
        yield PaymentRun(environment, bank, queue)
