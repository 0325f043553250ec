"""Whether what a fan asked for may still be charged by the time that it is."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from domain.charges.states import ChargeState
from infra.models import Charge

_PROSPECTS = text("""
    SELECT (SELECT s.customer_id FROM stripe_customers s WHERE s.user_id = CAST(:fan_id AS uuid)),
        EXISTS (SELECT FROM stripe_calls j WHERE j.key = :call_key),
        EXISTS (
            SELECT FROM users u WHERE u.id = CAST(:fan_id AS uuid)
                AND (u.suspended_at IS NOT NULL OR u.deleted_at IS NOT NULL)
        ),
        EXISTS (
            SELECT FROM users u WHERE u.id = CAST(:creator_id AS uuid)
                AND (u.suspended_at IS NOT NULL OR u.deleted_at IS NOT NULL)
        ),
        EXISTS (
            SELECT FROM payment_methods p WHERE p.id = :payment_method_id
                AND p.fan_id = CAST(:fan_id AS uuid) AND p.removed_at IS NULL
        )
""")


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
        _PROSPECTS,
        {
            "fan_id": charge.fan_id,
            "creator_id": charge.creator_id,
            "payment_method_id": charge.payment_method_id,
            "call_key": call_key,
        },
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
