"""Writing down what Stripe says of a refund: the row, the ledger, what was bought, the mails.

Locks: the charge, the refund, then the creator's money and the ledger's accounts.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.errors import NotFound
from domain.ids import derived_id
from domain.refunds import RefundReason, RefundState, Requester, after_news
from infra.models import Charge, Refund
from infra.queries import ledger
from infra.queries.charges import charge_of
from infra.queries.charges.returning import note_refunded
from infra.queries.charges.revoking import revoke_for
from infra.queries.refunds.mails import tell_of_failed_refund, tell_of_refund
from infra.stripe import objects


def refund_of(session: Session, refund_id: str, *, lock: bool = False) -> Refund:
    """
    Raises:
        NotFound: `refund_unknown`.
    """
    refund = session.get(Refund, refund_id, with_for_update=lock, populate_existing=True)
    if refund is None:
        raise refund_unknown()
    return refund


def refund_unknown() -> NotFound:
    return NotFound("There is no such refund.", code="refund_unknown")


def locked(session: Session, refund_id: str) -> tuple[Charge, Refund]:
    """The charge and its refund, locked in this order.

    Raises:
        NotFound: `refund_unknown`.
    """
    charge_id = session.scalar(select(Refund.charge_id).where(Refund.id == refund_id))
    if charge_id is None:
        raise refund_unknown()
    return charge_of(session, charge_id), refund_of(session, refund_id, lock=True)


def apply_refund(
    session: Session, refund_id: str, said: objects.Refund, *, at: datetime, workflow_id: str
) -> Refund:
    """Write down what Stripe says of a refund now. Again, or late, it changes nothing.

    What Stripe has taken from our balance is posted, whether the bank has it yet or not. Once
    all that was paid has gone back, what was bought goes too; it stays gone if the refund fails.

    Raises:
        NotFound: `refund_unknown`.
        Invalid: `refund_status_unknown`.
        Conflict: the ledger's, where it does not fit what was refunded or disputed before.
    """
    charge, refund = locked(session, refund_id)
    new = after_news(RefundState(refund.state), said.status)
    if new == refund.state:
        return refund
    refund.stripe_refund_id = said.id
    if refund.posted_at is None and (new.is_posted or said.balance_transaction_id is not None):
        _post(session, charge, refund, said, at=at, workflow_id=workflow_id)
    refund.state = new.value
    if new is RefundState.FAILED:
        refund.closed_at, refund.failure_reason = at, said.failure_reason
        if refund.posted_at is not None:
            _post_back(session, charge, refund, said, at=at, workflow_id=workflow_id)
        tell_of_failed_refund(session, charge, refund, at=at)
    else:
        tell_of_refund(session, charge, refund, at=at)
    session.flush()
    return refund


def refuse_refund(session: Session, refund_id: str, *, code: str, at: datetime) -> Refund:
    """Stripe did not begin it: its amount can be asked for again.

    Raises:
        NotFound: `refund_unknown`.
    """
    _, refund = locked(session, refund_id)
    if RefundState(refund.state) is RefundState.REQUESTED:
        refund.state, refund.closed_at = RefundState.REFUSED.value, at
        refund.refused_code = code
    return refund


def adopt_refund(session: Session, said: objects.Refund, *, at: datetime) -> Refund | None:
    """The row of a refund that Stripe tells of: ours, or a new one where somebody made it in
    Stripe's dashboard. None where the charge is none of ours."""
    known = session.scalar(select(Refund).where(Refund.stripe_refund_id == said.id))
    if known is None and said.op_id is not None:
        known = session.get(Refund, said.op_id)
    if known is not None:
        return known
    charge_id = session.scalar(select(Charge.id).where(Charge.stripe_charge_id == said.charge))
    if charge_id is None:
        return None
    charge = charge_of(session, charge_id)
    refund_id = derived_id("refund", said.id)
    refund = session.get(Refund, refund_id) or Refund(
        id=refund_id,
        charge_id=charge.id,
        amount_minor=said.amount_minor,
        currency=charge.currency,
        reason=RefundReason.MADE_AT_STRIPE.value,
        requested_as=Requester.STRIPE.value,
        state=RefundState.REQUESTED.value,
        stripe_refund_id=said.id,
        created_at=at,
    )
    session.add(refund)
    session.flush()
    return refund


def _post(
    session: Session,
    charge: Charge,
    refund: Refund,
    said: objects.Refund,
    *,
    at: datetime,
    workflow_id: str,
) -> None:
    ledger.record_refund(
        session,
        refund_id=refund.id,
        charge_id=charge.id,
        amount_minor=refund.amount_minor,
        at=at,
        stripe_ref=said.id,
        workflow_id=workflow_id,
    )
    _post_fee(session, said.balance_transaction, said.id, at=at, workflow_id=workflow_id)
    refund.posted_at = at
    note_refunded(charge, refund.amount_minor)
    if charge.refunded_minor == charge.amount_minor:
        revoke_for(session, charge, at=at, why="refunded")


def _post_back(
    session: Session,
    charge: Charge,
    refund: Refund,
    said: objects.Refund,
    *,
    at: datetime,
    workflow_id: str,
) -> None:
    ledger.record_refund_failed(
        session, refund_id=refund.id, at=at, stripe_ref=said.id, workflow_id=workflow_id
    )
    _post_fee(session, said.failure_balance_transaction, said.id, at=at, workflow_id=workflow_id)
    note_refunded(charge, -refund.amount_minor)


def _post_fee(
    session: Session,
    booked: objects.BalanceTransaction | None,
    stripe_ref: str,
    *,
    at: datetime,
    workflow_id: str,
) -> None:
    if booked is not None:
        ledger.record_fee(
            session,
            txn_id=booked.id,
            stripe_ref=stripe_ref,
            fee_minor=booked.fee_minor,
            currency=booked.currency,
            at=at,
            workflow_id=workflow_id,
        )
