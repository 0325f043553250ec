"""Following disputes and answering them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Engine

from activities.errors import typed_failures
from activities.refunds.taxes import reverse_tax
from domain.disputes import Answer, AnswerPolicy, DisputeState, EvidencePolicy
from domain.errors import StepBlocked, Unavailable
from domain.ids import dispute_workflow_id
from domain.ledger.accounts import OwnerType
from infra.db import transaction
from infra.models import Dispute
from infra.queries import disputes
from infra.queries.disputes.following import Followed, Occasion
from infra.settings import Settings
from infra.stripe import objects
from infra.stripe.gateway import StripeGateway
from workflows.declarations import implements
from workflows.disputes import steps
from workflows.disputes.messages import DisputeLook, DisputeStep
from workflows.queues import Queue

log = structlog.get_logger(__name__)


class DisputeActivities:
    """What runs of disputes ask for."""

    def __init__(self, settings: Settings, engine: Engine, gateway: StripeGateway) -> None:
        self._engine = engine
        self._gateway = gateway
        self._fee_borne_by = OwnerType(settings.dispute_fee_borne_by)
        self._policy = AnswerPolicy(
            EvidencePolicy(settings.dispute_evidence_policy),
            timedelta(hours=settings.dispute_evidence_margin_hours),
        )

    def on_queues(self) -> dict[Queue, list[Callable[..., Any]]]:
        return {Queue.MONEY: [self.look_at_dispute, self.answer_dispute]}

    @implements(steps.look_at_dispute)
    def look_at_dispute(self, step: DisputeStep) -> DisputeLook:
        with typed_failures():
            return self._apply(self._gateway.retrieve_dispute(step.stripe_dispute_id), step.at)

    @implements(steps.answer_dispute)
    def answer_dispute(self, step: DisputeStep) -> DisputeLook:
        with typed_failures():
            dispute = self._decided(step)
            if dispute is not None:
                said = self._answer(dispute, step.at)
            else:
                said = self._gateway.retrieve_dispute(step.stripe_dispute_id)
            return self._apply(said, step.at)

    def _decided(self, step: DisputeStep) -> Dispute | None:
        """The dispute with the answer that is to be given, written down before it is given;
        None where there is none to give any more."""
        with transaction(self._engine) as session:
            dispute = disputes.dispute_by_stripe_id(session, step.stripe_dispute_id)
            if dispute is None or self._due(dispute, step.at) is None:
                return None
            if dispute.answer is None:
                dispute, _ = disputes.decide(
                    session, dispute.id, Answer.SUBMIT, by=None, at=step.at
                )
            return dispute

    def _answer(self, dispute: Dispute, at: datetime) -> objects.Dispute:
        # An inquiry that was answered and became a chargeback is answered a second time.
        generation = 1 if DisputeState(dispute.state).is_inquiry else 2
        key = f"dispute:{dispute.stripe_dispute_id}:{dispute.answer}:{generation}"
        name, run = dispute.stripe_dispute_id, dispute_workflow_id(dispute.stripe_dispute_id)
        if dispute.answer == Answer.ACCEPT:
            return self._gateway.close_dispute(
                name, key=key, op_id=dispute.id, at=at, workflow_id=run
            )
        if dispute.evidence is None:
            raise StepBlocked("There is no evidence to submit.", code="evidence_missing")
        return self._gateway.submit_evidence(
            name, dispute.evidence, key=key, op_id=dispute.id, at=at, workflow_id=run
        )

    def _apply(self, said: objects.Dispute, at: datetime) -> DisputeLook:
        self._wait_for_charge(said)
        when = Occasion(at, dispute_workflow_id(said.id), self._fee_borne_by)
        with transaction(self._engine) as session:
            followed = disputes.apply_dispute(session, said, when)
            if DisputeState(followed.dispute.state).needs_answer:
                disputes.keep_evidence(session, followed.charge, followed.dispute)
            look = self._look_of(followed, at)
        if look.state is DisputeState.LOST and followed.dispute.tax_reversal_id is None:
            self._report_tax(followed, at)
        log.info("dispute", dispute=said.id, state=look.state.value)
        return look

    def _wait_for_charge(self, said: objects.Dispute) -> None:
        """A dispute may be heard of before the payment that it is about.

        Raises:
            Unavailable: `disputed_charge_open`.
        """
        with transaction(self._engine) as session:
            if disputes.disputed_charge_id(session, said) or said.payment_intent is None:
                return
        intent = self._gateway.retrieve_payment_intent(said.payment_intent)
        with transaction(self._engine) as session:
            if disputes.is_being_taken(session, intent):
                raise Unavailable(
                    "A payment is disputed that is not written down yet.",
                    code="disputed_charge_open",
                    dispute=said.id,
                    payment_intent=intent.id,
                )

    def _report_tax(self, followed: Followed, at: datetime) -> None:
        """Have Stripe report that the tax of what was lost went back; no more than was left."""
        dispute, charge = followed.dispute, followed.charge
        left = charge.amount_minor - charge.refunded_minor
        reversal_id = reverse_tax(
            self._gateway,
            charge,
            min(dispute.amount_minor, left),
            key=f"dispute:{dispute.stripe_dispute_id}:tax-reversal:1",
            op_id=dispute.id,
            workflow_id=dispute_workflow_id(dispute.stripe_dispute_id),
            at=at,
        )
        if reversal_id is not None:
            with transaction(self._engine) as session:
                row = session.get_one(Dispute, dispute.id, with_for_update=True)
                row.tax_reversal_id = reversal_id

    def _due(self, dispute: Dispute, now: datetime) -> Answer | None:
        return self._policy.due_answer(
            state=DisputeState(dispute.state),
            decided=Answer(dispute.answer) if dispute.answer is not None else None,
            due_by=dispute.evidence_due_by,
            now=now,
        )

    def _look_of(self, followed: Followed, now: datetime) -> DisputeLook:
        dispute, charge = followed.dispute, followed.charge
        state = DisputeState(dispute.state)
        is_lost = state is DisputeState.LOST
        return DisputeLook(
            state,
            answer=self._due(dispute, now),
            submits_at=(
                self._policy.submits_at(dispute.evidence_due_by) if state.needs_answer else None
            ),
            is_booked=state.is_inquiry
            or state is DisputeState.PREVENTED
            or dispute.held_at is not None,
            tell_run=charge.workflow_id if is_lost else None,
            charge_id=charge.id if is_lost else None,
        )
