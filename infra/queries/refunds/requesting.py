"""Asking for a refund. The row holds its amount from then on, so that two never exceed what was
paid, whatever Stripe makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.charges.states import ChargeState
from domain.errors import Conflict
from domain.refunds import (
    CLAIMED,
    Refundable,
    RefundReason,
    RefundState,
    Requester,
    amount_to_refund,
)
from infra.models import Charge, Refund
from infra.queries.charges import charge_of


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRefund:
    """A wish. `amount_minor` None: all that is left of the charge."""

    id: str
    charge_id: str
    amount_minor: int | None
    reason: RefundReason
    requested_as: Requester
    requested_by: str | None = None
    note: str = ""
    at: datetime


def request_refund(session: Session, new: NewRefund) -> Refund:
    """Write a refund down, with the charge locked; its run has to be started afterwards.

    The same id again answers with the row of the first time.

    Raises:
        NotFound: `charge_unknown`.
        Conflict: `charge_not_paid`, `charge_disputed` or `refund_exceeds_charge`;
            `idempotency_key_reused`, where the id is of another payment's refund.
        Invalid: `refund_of_nothing`.
    """
    charge = charge_of(session, new.charge_id)
    before = session.get(Refund, new.id)
    if before is not None:
        if before.charge_id != charge.id:
            raise Conflict(
                "The same Idempotency-Key came with a refund of another payment.",
                code="idempotency_key_reused",
            )
        return before
    amount = amount_to_refund(refundable_of(session, charge), new.amount_minor)
    refund = Refund(
        id=new.id,
        charge_id=charge.id,
        amount_minor=amount,
        currency=charge.currency,
        reason=new.reason.value,
        note=new.note,
        requested_as=new.requested_as.value,
        requested_by=new.requested_by,
        state=RefundState.REQUESTED.value,
        created_at=new.at,
    )
    session.add(refund)
    session.flush()
    return refund


def refundable_of(session: Session, charge: Charge) -> Refundable:
    """How a locked charge stands as to refunds.

    Raises:
        Conflict: `charge_not_paid`.
    """
    if charge.state != ChargeState.PAID:
        raise Conflict(
            "Nothing was paid that could go back.", code="charge_not_paid", state=charge.state
        )
    assert charge.paid_at is not None, "a paid charge has its time"
    claimed = session.scalars(
        select(Refund.amount_minor).where(
            Refund.charge_id == charge.id, Refund.state.in_([state.value for state in CLAIMED])
        )
    )
    return Refundable(
        charge_id=charge.id,
        amount_minor=charge.amount_minor,
        paid_at=charge.paid_at,
        is_disputed=charge.disputed_at is not None,
        claimed_minor=tuple(claimed),
    )
