"""Writing down what Stripe says of a dispute: the row, the ledger, what was bought, the mails.

Locks: the charge, the dispute, then the creator's money and the ledger's accounts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import false, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from domain.charges.states import ChargeState
from domain.disputes import BalanceLine, DisputeState, Moved, after_news, read_balance, state_of
from domain.errors import Conflict, StepBlocked, Unavailable
from domain.ids import derived_id
from domain.ledger.accounts import OwnerType
from infra.models import Charge, Dispute
from infra.queries import ledger
from infra.queries.charges import charge_of
from infra.queries.charges.returning import note_disputed
from infra.queries.charges.revoking import revoke_for
from infra.queries.refunds.mails import tell_of_dispute
from infra.stripe import objects


@dataclass(frozen=True, slots=True)
class Occasion:
    at: datetime
    workflow_id: str
    fee_borne_by: OwnerType
    """Who pays Stripe's fee for a dispute that is lost."""


@dataclass(frozen=True, slots=True)
class Followed:
    """How a dispute stands; both rows are locked."""

    dispute: Dispute
    charge: Charge


def dispute_by_stripe_id(session: Session, stripe_dispute_id: str) -> Dispute | None:
    return session.scalar(
        select(Dispute)
        .where(Dispute.stripe_dispute_id == stripe_dispute_id)
        .execution_options(populate_existing=True)
    )


def disputed_charge_id(session: Session, said: objects.Dispute) -> str | None:
    """The charge of ours that is disputed; None where none is written down as paid so."""
    return session.scalar(select(Charge.id).where(Charge.stripe_charge_id == said.charge))


def is_being_taken(session: Session, intent: objects.PaymentIntent) -> bool:
    """Whether a charge of ours has this payment made and has not heard yet how it went.

    A bank may dispute within the second. Whoever took the money may have died before writing it
    down; then only the payment itself says whose it is.
    """
    is_ours = intent.metadata.get("op_kind") == "charge"
    by_metadata = Charge.id == intent.op_id if is_ours else false()
    state = session.scalar(
        select(Charge.state).where(or_(Charge.payment_intent_id == intent.id, by_metadata))
    )
    return state is not None and not ChargeState(state).is_final


def apply_dispute(session: Session, said: objects.Dispute, when: Occasion) -> Followed:
    """Write down what Stripe says of a dispute now. Again, or late, it changes nothing.

    Raises:
        StepBlocked: `dispute_of_unknown_charge`; or `dispute_amounts_differ`, where Stripe moved
            another amount than the dispute is about.
        Unavailable: `dispute_not_booked`; it is decided, and Stripe's balance does not say so
            yet.
    """
    charge_id = disputed_charge_id(session, said)
    if charge_id is None:
        raise StepBlocked(
            "A payment is disputed that was not taken here.",
            code="dispute_of_unknown_charge",
            dispute=said.id,
            charge=said.charge,
        )
    charge = charge_of(session, charge_id)
    dispute = _row(session, charge, said, when.at)
    old = DisputeState(dispute.state)
    new = after_news(old, state_of(said.status))
    moved = _moved(said, charge)
    _hold(session, charge, dispute, moved, when)
    for fee in moved.fees:
        _fee(session, dispute, fee, when)
    if new is not old and new in (DisputeState.WON, DisputeState.LOST):
        _end(session, charge, dispute, new, moved, when)
    if old.is_inquiry and new is DisputeState.NEEDS_RESPONSE:
        # A chargeback is answered for itself.
        dispute.answer = dispute.answered_by = dispute.answered_at = None
        dispute.evidence_submitted_at = None
    if new is not old:
        dispute.state = new.value
        dispute.is_inquiry = dispute.is_inquiry and (
            new.is_inquiry or new is DisputeState.PREVENTED
        )
        dispute.closed_at = when.at if new.is_final else None
    dispute.evidence_due_by = said.evidence_due_by or dispute.evidence_due_by
    if said.submission_count and not new.needs_answer and dispute.evidence_submitted_at is None:
        dispute.evidence_submitted_at = when.at
    session.flush()
    return Followed(dispute, charge)


def _row(session: Session, charge: Charge, said: objects.Dispute, at: datetime) -> Dispute:
    """The dispute's, locked; made when it is heard of first."""
    state = state_of(said.status)
    # A dispute that is over when it is heard of first goes the way of all others.
    first = (
        DisputeState.WARNING_NEEDS_RESPONSE
        if state.is_inquiry or state is DisputeState.PREVENTED
        else DisputeState.NEEDS_RESPONSE
    )
    session.execute(
        insert(Dispute)
        .values(
            id=derived_id("dispute", said.id),
            stripe_dispute_id=said.id,
            charge_id=charge.id,
            amount_minor=said.amount_minor,
            currency=charge.currency,
            state=first.value,
            is_inquiry=first.is_inquiry,
            reason=said.reason,
            opened_at=said.created_at,
            created_at=at,
        )
        .on_conflict_do_nothing()
    )
    return session.scalars(
        select(Dispute)
        .where(Dispute.stripe_dispute_id == said.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def _moved(said: objects.Dispute, charge: Charge) -> Moved:
    lines = [
        BalanceLine(each.id, each.amount_minor, each.fee_minor, each.currency)
        for each in said.balance_transactions
    ]
    try:
        return read_balance(lines, amount_minor=said.amount_minor, currency=charge.currency)
    except Conflict as error:
        raise StepBlocked(error.message, code="dispute_amounts_differ", **error.facts) from error


def _hold(session: Session, charge: Charge, dispute: Dispute, moved: Moved, when: Occasion) -> None:
    """Stripe has taken the money: hold the creator's share of it."""
    if moved.taken is None or dispute.held_at is not None:
        return
    ledger.open_dispute(
        session,
        dispute_id=dispute.id,
        charge_id=charge.id,
        amount_minor=-moved.taken.amount_minor,
        fee_minor=moved.taken.fee_minor,
        at=when.at,
        stripe_ref=dispute.stripe_dispute_id,
        workflow_id=when.workflow_id,
    )
    dispute.amount_minor = -moved.taken.amount_minor
    dispute.fee_minor += moved.taken.fee_minor
    dispute.held_at, dispute.is_inquiry = when.at, False
    note_disputed(charge, when.at)
    tell_of_dispute(session, charge, dispute, "opened", at=when.at)


def _end(
    session: Session,
    charge: Charge,
    dispute: Dispute,
    new: DisputeState,
    moved: Moved,
    when: Occasion,
) -> None:
    if dispute.held_at is None or (new is DisputeState.WON and moved.given_back is None):
        raise Unavailable(
            "A dispute is decided, and its money is not booked yet.",
            code="dispute_not_booked",
            dispute=dispute.stripe_dispute_id,
        )
    if new is DisputeState.LOST:
        ledger.lose_dispute(
            session,
            dispute_id=dispute.id,
            at=when.at,
            stripe_ref=dispute.stripe_dispute_id,
            fee_borne_by=when.fee_borne_by,
            workflow_id=when.workflow_id,
        )
        revoke_for(session, charge, at=when.at, why="disputed")
    else:
        assert moved.given_back is not None
        ledger.win_dispute(
            session,
            dispute_id=dispute.id,
            at=when.at,
            stripe_ref=dispute.stripe_dispute_id,
            fee_returned_minor=-moved.given_back.fee_minor,
            workflow_id=when.workflow_id,
        )
        dispute.fee_minor += moved.given_back.fee_minor
        note_disputed(charge, None)
    tell_of_dispute(session, charge, dispute, new.value, at=when.at)


def _fee(session: Session, dispute: Dispute, line: BalanceLine, when: Occasion) -> None:
    posted = ledger.record_fee(
        session,
        txn_id=line.id,
        stripe_ref=dispute.stripe_dispute_id,
        fee_minor=line.fee_minor,
        currency=line.currency,
        at=when.at,
        workflow_id=when.workflow_id,
    )
    if posted is not None and posted.is_new:
        dispute.fee_minor += line.fee_minor
