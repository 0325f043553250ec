"""Whether what a fan asked for may still be charged by the time that it is."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import Session

from domain.charges.states import ChargeState
from infra.models import Charge, PaymentMethod, StripeCall, StripeCustomer, User


@dataclass(frozen=True, slots=True)
class Prospects:
    """What a charge has before it once it is begun."""

    customer_id: str | None
    """The fan's at Stripe (`cus_…`)."""
    is_sent: bool
    """Whether Stripe was asked, or may have been: then only its answer can end the charge."""
    closed: str | None
    """Why it may not be taken any more; one of our own reasons in `domain/charges/declines.py`."""


def prospects_of(session: Session, charge: Charge, *, call_key: str) -> Prospects:
    """In one statement.

    Args:
        call_key: of the order to Stripe that takes the money, in the journal of calls.
    """
    customer_id, is_journalled, fan_shut, creator_shut, has_card = session.execute(
        select(
            select(StripeCustomer.customer_id)
            .where(StripeCustomer.user_id == charge.fan_id)
            .scalar_subquery(),
            exists().where(StripeCall.key == call_key),
            _is_shut(charge.fan_id),
            _is_shut(charge.creator_id),
            exists().where(
                PaymentMethod.id == charge.payment_method_id,
                PaymentMethod.fan_id == charge.fan_id,
                PaymentMethod.removed_at.is_(None),
            ),
        )
    ).one()
    is_begun = charge.payment_intent_id is not None or ChargeState(charge.state).is_final
    reasons = {
        "account_closed": fan_shut,
        "creator_closed": creator_shut,
        "card_removed": not has_card,
    }
    return Prospects(
        customer_id=customer_id,
        is_sent=is_begun or is_journalled,
        closed=next((reason for reason, holds in reasons.items() if holds), None),
    )


def _is_shut(user_id: str) -> ColumnElement[bool]:
    return exists().where(
        User.id == user_id, User.suspended_at.is_not(None) | User.deleted_at.is_not(None)
    )
