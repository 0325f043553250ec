"""Rows, a bank and a Stripe that exist in memory only: what runs of payouts ask for."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from temporalio.exceptions import ApplicationError

from domain.payouts.states import PROVISIONAL, BankState, PayoutState, after_bank
from workflows.auditing import AuditInput, record_audit
from workflows.declarations import implements
from workflows.payouts import steps
from workflows.payouts.messages import (
    AccountLook,
    BatchEnd,
    BatchPage,
    BatchPlan,
    ConnectStep,
    PayoutAttention,
    PayoutDecision,
    PayoutLook,
    PayoutStep,
    PayoutSweep,
    PayoutSweepReport,
    PlannedPayout,
)

S = PayoutState


def lost_answer() -> ApplicationError:
    return ApplicationError("the worker died before it could answer")


@dataclass
class ScriptedRow:
    state: PayoutState = S.REQUESTED
    reason: str | None = None
    paid_at: datetime | None = None
    settled_at: datetime | None = None
    transfers: int = 0
    payouts: int = 0
    reversals: int = 0

    @property
    def look(self) -> PayoutLook:
        settles = self.paid_at + PROVISIONAL if self.paid_at and self.state is S.PAID else None
        return PayoutLook(self.state, self.reason, settles)


@dataclass
class Scripted:
    """Does what the real steps do to a row, and what a test has told it to do otherwise."""

    rows: dict[str, ScriptedRow] = field(default_factory=dict)
    bank: BankState = BankState.IN_TRANSIT
    reviewed: bool = False
    refusal: str | None = None
    """Why `open_payout` releases."""
    payout_refused: bool = False
    reversal_refused: bool = False
    blocked: list[str] = field(default_factory=list)
    """Steps that are blocked, once each."""
    dies_after: str | None = None
    """A step whose first answer is lost."""
    notes: list[tuple[str | None, str | None]] = field(default_factory=list)
    decisions: list[PayoutDecision] = field(default_factory=list)
    audited: list[str] = field(default_factory=list)
    looks: int = 0
    last_at: datetime | None = None
    """Of the latest step."""
    pages: list[BatchPlan] = field(default_factory=list)
    asked_pages: list[BatchPage] = field(default_factory=list)
    ended_batches: list[BatchEnd] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=lambda: ["ready"])

    def row(self, payout_id: str) -> ScriptedRow:
        return self.rows.setdefault(payout_id, ScriptedRow())

    def _answer(self, step: str, row: ScriptedRow, at: datetime) -> PayoutLook:
        self.last_at = at
        if self.dies_after == step:
            self.dies_after = None
            raise lost_answer()
        return row.look

    def _check_blocked(self, step: str) -> None:
        if step in self.blocked:
            self.blocked.remove(step)
            raise ApplicationError(
                "an operator has to look", "some_reason", type="StepBlocked", non_retryable=True
            )

    @implements(steps.open_payout)
    async def open_payout(self, step: PayoutStep) -> PayoutLook:
        row = self.row(step.payout_id)
        self._check_blocked("open")
        if row.state is S.REQUESTED:
            row.state = S.REVIEW if self.reviewed else S.RESERVED
            if self.refusal:
                row.state, row.reason = S.RELEASED, self.refusal
        return self._answer("open", row, step.at)

    @implements(steps.send_payout)
    async def send_payout(self, step: PayoutStep) -> PayoutLook:
        row = self.row(step.payout_id)
        self._check_blocked("send")
        if row.state in (S.RESERVED, S.TRANSFERRING):
            row.state = S.FUNDED
            row.transfers += 1
        if row.state in (S.FUNDED, S.SUBMITTING):
            row.state = S.RETURNING if self.payout_refused else S.IN_TRANSIT
            row.payouts += 0 if self.payout_refused else 1
        return self._answer("send", row, step.at)

    @implements(steps.look_at_payout)
    async def look_at_payout(self, step: PayoutStep) -> PayoutLook:
        self.looks += 1
        row = self.row(step.payout_id)
        self._check_blocked("look")
        row.state = after_bank(row.state, self.bank)
        if row.state is S.PAID:
            row.paid_at = row.paid_at or step.at
            if step.at >= row.paid_at + PROVISIONAL:
                row.state, row.settled_at = S.SETTLED, step.at
        return self._answer("look", row, step.at)

    @implements(steps.return_payout)
    async def return_payout(self, step: PayoutStep) -> PayoutLook:
        row = self.row(step.payout_id)
        if self.reversal_refused:
            row.state = S.NEEDS_OPS
            raise ApplicationError(
                "Stripe does not give it back",
                "payout_reversal_refused",
                type="StepBlocked",
                non_retryable=True,
            )
        if row.state is not S.RETURNED:
            row.state = S.RETURNED
            row.reversals += 1
        return self._answer("return", row, step.at)

    @implements(steps.decide_payout)
    async def decide_payout(self, decision: PayoutDecision) -> PayoutLook:
        row = self.row(decision.payout_id)
        self.decisions.append(decision)
        row.state = S.RESERVED if decision.approved else S.RELEASED
        return row.look

    @implements(steps.note_payout_attention)
    async def note_payout_attention(self, attention: PayoutAttention) -> None:
        self.notes.append((attention.step, attention.reason))

    @implements(steps.plan_payouts)
    async def plan_payouts(self, page: BatchPage) -> BatchPlan:
        self.asked_pages.append(page)
        return self.pages[int(page.after or 0)]

    @implements(steps.finish_batch)
    async def finish_batch(self, end: BatchEnd) -> None:
        self.ended_batches.append(end)

    @implements(steps.refresh_account)
    async def refresh_account(self, step: ConnectStep) -> AccountLook:
        self.looks += 1
        self.last_at = step.at
        return AccountLook(self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0])

    @implements(steps.sweep_payouts)
    async def sweep_payouts(self, sweep: PayoutSweep) -> PayoutSweepReport:
        return PayoutSweepReport(released_creators=3)

    @implements(record_audit)
    async def record_audit(self, entry: AuditInput) -> None:
        self.audited.append(entry.action)

    def activities(self) -> list[object]:
        return [
            self.open_payout,
            self.send_payout,
            self.look_at_payout,
            self.return_payout,
            self.decide_payout,
            self.note_payout_attention,
            self.plan_payouts,
            self.finish_batch,
            self.refresh_account,
            self.sweep_payouts,
        ]

    def page_of(self, *payout_ids: str, after: str | None = None, skipped: int = 0) -> None:
        planned = tuple(PlannedPayout(each, "creator") for each in payout_ids)
        self.pages.append(BatchPlan(planned, skipped, after))
