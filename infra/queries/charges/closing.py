"""Whether what a fan asked for may still be charged by the time that it is."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from infra.models import Charge, User
from infra.queries.payment_methods import own_card


def why_closed(session: Session, charge: Charge) -> str | None:
    """Why a charge that Stripe does not know of may not be taken any more; None: it may.

    Returns:
        `account_closed`, `creator_closed` or `card_removed`; see `domain/charges/declines.py`.
    """
    shut = session.scalars(
        select(User.id).where(
            User.id.in_([charge.fan_id, charge.creator_id]),
            User.suspended_at.is_not(None) | User.deleted_at.is_not(None),
        )
    ).all()
    if charge.fan_id in shut:
        return "account_closed"
    if charge.creator_id in shut:
        return "creator_closed"
    card = own_card(session, fan_id=charge.fan_id, payment_method_id=charge.payment_method_id)
    return "card_removed" if card is None else None
