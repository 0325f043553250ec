"""Making refunds, following them, and starting those that have no run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Engine, delete, func, select
from sqlalchemy.orm import Session
from temporalio.client import Client

from activities.errors import typed_failures
from activities.refunds.taxes import reverse_tax
from domain.disputes import DisputeState
from domain.errors import StepBlocked
from domain.ids import derived_id, refund_workflow_id
from domain.refunds import WATCHED, RefundReason, RefundState, Requester
from domain.unlocks.states import UnlockState
from infra.db import transaction
from infra.models import AccessEntry, Charge, Dispute, Refund, Unlock
from infra.queries import refunds
from infra.queries.charges import charge_of
from infra.queries.refunds.requesting import refundable_of
from infra.settings import Settings
from infra.stripe import objects
from infra.stripe.gateway import StripeGateway
from workflows.declarations import implements
from workflows.disputes.start import follow_dispute
from workflows.queues import Queue
from workflows.refunds import steps
from workflows.refunds.messages import RefundLook, RefundStep, RefundSweep, RefundSweepReport
from workflows.refunds.start import tend_refund

log = structlog.get_logger(__name__)

BATCH = 200
UNANSWERED_AFTER = timedelta(minutes=2)
"""A run that lives has heard from Stripe by then."""


class RefundActivities:
    """What runs of refunds and the schedule ask for."""

    def __init__(
        self, settings: Settings, engine: Engine, gateway: StripeGateway, temporal: Client
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._gateway = gateway
        self._temporal = temporal

    def on_queues(self) -> dict[Queue, list[Callable[..., Any]]]:
        return {
            Queue.MONEY: [
                self.send_refund,
                self.look_at_refund,
                self.check_failed_refund,
                self.sweep_refunds,
            ]
        }

    @implements(steps.send_refund)
    def send_refund(self, step: RefundStep) -> RefundLook:
        with typed_failures():
            with transaction(self._engine) as session:
                refund = refunds.refund_of(session, step.refund_id)
                charge = charge_of(session, refund.charge_id, lock=False)
            if refund.stripe_refund_id is not None or refund.state != RefundState.REQUESTED:
                return self._look(refund, step)
            said = self._create(refund, charge, step.at)
            if isinstance(said, str):
                return self._refuse(refund, said, step.at)
            return self._apply(said, step)

    @implements(steps.look_at_refund)
    def look_at_refund(self, step: RefundStep) -> RefundLook:
        with typed_failures():
            with transaction(self._engine) as session:
                refund = refunds.refund_of(session, step.refund_id)
            return self._look(refund, step)

    @implements(steps.check_failed_refund)
    def check_failed_refund(self, step: RefundStep) -> RefundLook:
        with typed_failures(), transaction(self._engine) as session:
            refund = refunds.refund_of(session, step.refund_id)
            charge = charge_of(session, refund.charge_id)
            left = refundable_of(session, charge)
            if not left.is_disputed and left.refundable_minor >= refund.amount_minor:
                raise StepBlocked(
                    "The bank sent a refund back. Refund the payment again, or pay the fan in "
                    "another way.",
                    code="refund_failed",
                    charge_id=charge.id,
                    amount_minor=refund.amount_minor,
                    currency=refund.currency,
                    why=refund.failure_reason,
                )
            return _look_of(session, refund)

    @implements(steps.sweep_refunds)
    async def sweep_refunds(self, sweep: RefundSweep) -> RefundSweepReport:
        with typed_failures():
            waiting = await asyncio.to_thread(self._waiting, sweep.at)
            for refund_id in waiting:
                await tend_refund(
                    self._temporal, refund_id, queue_prefix=self._settings.task_queue_prefix
                )
            unanswered = await asyncio.to_thread(self._unanswered, sweep.at)
            for dispute_id in unanswered:
                await follow_dispute(
                    self._temporal,
                    dispute_id,
                    queue_prefix=self._settings.task_queue_prefix,
                    event_type="decided",
                )
            deleted = await asyncio.to_thread(self._delete_accesses, sweep.at)
            report = RefundSweepReport(
                runs_begun=len(waiting), accesses_deleted=deleted, disputes_told=len(unanswered)
            )
        log.info("refunds_swept", **vars(report))
        return report

    def _look(self, refund: Refund, step: RefundStep) -> RefundLook:
        if refund.stripe_refund_id is None or RefundState(refund.state).is_final:
            with transaction(self._engine) as session:
                return _look_of(session, refund)
        return self._apply(self._gateway.retrieve_refund(refund.stripe_refund_id), step)

    def _apply(self, said: objects.Refund, step: RefundStep) -> RefundLook:
        with transaction(self._engine) as session:
            refund = refunds.apply_refund(
                session,
                step.refund_id,
                said,
                at=step.at,
                workflow_id=refund_workflow_id(step.refund_id),
            )
            charge = charge_of(session, refund.charge_id, lock=False)
            look = _look_of(session, refund)
        if RefundState(refund.state).is_posted and refund.tax_reversal_id is None:
            self._report_tax(refund, charge, step.at)
        log.info("refund", refund_id=refund.id, state=refund.state)
        return look

    def _report_tax(self, refund: Refund, charge: Charge, at: datetime) -> None:
        """Have Stripe report that the refund's part of the tax went back. A payment whose own
        tax is not reported yet is left to the next look."""
        reversal_id = reverse_tax(
            self._gateway,
            charge,
            refund.amount_minor,
            key=f"refund:{refund.id}:tax-reversal:1",
            op_id=refund.id,
            workflow_id=refund_workflow_id(refund.id),
            at=at,
        )
        if reversal_id is not None:
            with transaction(self._engine) as session:
                row = refunds.refund_of(session, refund.id, lock=True)
                row.tax_reversal_id = reversal_id

    def _refuse(self, refund: Refund, code: str, at: datetime) -> RefundLook:
        with transaction(self._engine) as session:
            refused = refunds.refuse_refund(session, refund.id, code=code, at=at)
            log.info("refund", refund_id=refused.id, state=refused.state, code=code)
            return _look_of(session, refused)

    def _create(self, refund: Refund, charge: Charge, at: datetime) -> objects.Refund | str:
        """What Stripe made, or the code with which it refused."""
        assert charge.payment_intent_id is not None, "a paid charge is known to Stripe"
        try:
            return self._gateway.create_refund(
                payment_intent=charge.payment_intent_id,
                amount_minor=refund.amount_minor,
                reason=RefundReason(refund.reason).for_stripe,
                key=f"refund:{refund.id}:create:1",
                op_id=refund.id,
                at=at,
                workflow_id=refund_workflow_id(refund.id),
            )
        except StepBlocked as error:
            code = refusal_of(error)
            if code is None:
                raise
            return code

    def _waiting(self, now: datetime) -> list[str]:
        """Refunds of which nothing was heard, and those that what was paid in vain asks for."""
        with transaction(self._engine) as session:
            self._request_for_unlocks(session, now)
            found = session.scalars(
                select(Refund.id)
                .where(
                    Refund.state == RefundState.REQUESTED,
                    Refund.created_at < now - UNANSWERED_AFTER,
                )
                .order_by(Refund.created_at)
                .limit(BATCH)
            )
            return list(found)

    def _unanswered(self, now: datetime) -> list[str]:
        """Disputes, by Stripe's ids, of which staff have decided and whose runs have not said so:
        Temporal may have been away when they decided."""
        needing = [state.value for state in DisputeState if state.needs_answer]
        with transaction(self._engine) as session:
            found = session.scalars(
                select(Dispute.stripe_dispute_id)
                .where(
                    Dispute.state.in_(needing),
                    Dispute.answer.is_not(None),
                    Dispute.answered_at < now - UNANSWERED_AFTER,
                )
                .order_by(Dispute.answered_at)
                .limit(BATCH)
            )
            return list(found)

    def _request_for_unlocks(self, session: Session, now: datetime) -> None:
        """What was gone when it was paid for is refunded by itself, or what is left of it. What
        Stripe refuses while a dispute is open is asked for again, once that is won."""
        of_charge = select(func.count()).where(Refund.charge_id == Charge.id)
        # One that failed is paid back by hand.
        counts = of_charge.where(
            Refund.state.in_([RefundState.REQUESTED, RefundState.PENDING, RefundState.FAILED])
        )
        in_vain = session.execute(
            select(Charge.id, of_charge.scalar_subquery())
            .join(Unlock, Unlock.id == Charge.subject_id)
            .where(
                Unlock.state == UnlockState.REFUNDING,
                Charge.state == "paid",
                Charge.refunded_minor < Charge.amount_minor,
                Charge.disputed_at.is_(None),
                counts.scalar_subquery() == 0,
            )
            .limit(BATCH)
        )
        for charge_id, before in in_vain.all():
            refunds.request_refund(
                session,
                refunds.NewRefund(
                    id=derived_id("refund", charge_id, RefundReason.NOT_DELIVERED, str(before)),
                    charge_id=charge_id,
                    amount_minor=None,
                    reason=RefundReason.NOT_DELIVERED,
                    requested_as=Requester.SYSTEM,
                    at=now,
                ),
            )

    def _delete_accesses(self, now: datetime) -> int:
        until = now - timedelta(days=self._settings.access_log_days)
        with transaction(self._engine) as session:
            gone = session.execute(delete(AccessEntry).where(AccessEntry.at < until))
            return int(gone.rowcount)  # type: ignore[attr-defined]  # It is a cursor's result.


def refusal_of(error: StepBlocked) -> str | None:
    """Why Stripe does not refund this payment, where that is an answer and no fault of ours;
    None for all other errors (https://docs.stripe.com/error-codes)."""
    if error.code != "payment_request_refused":
        return None
    if error.facts.get("reason") in ("charge_disputed", "charge_already_refunded"):
        return str(error.facts["reason"])
    # Somebody refunded a part in Stripe's dashboard.
    return "refund_exceeds_charge" if error.facts.get("param") == "amount" else None


def _look_of(session: Session, refund: Refund) -> RefundLook:
    charge = charge_of(session, refund.charge_id, lock=False)
    state = RefundState(refund.state)
    is_whole = state.is_posted and charge.refunded_minor == charge.amount_minor
    watched = state is RefundState.SUCCEEDED and refund.posted_at is not None
    return RefundLook(
        refund.id,
        state,
        refused_code=refund.refused_code,
        watched_until=refund.posted_at + WATCHED if watched and refund.posted_at else None,
        tell_run=charge.workflow_id if is_whole else None,
        charge_id=charge.id if is_whole else None,
    )
