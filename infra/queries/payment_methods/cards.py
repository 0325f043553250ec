"""Reading a fan's cards, for whoever is about to charge one."""

from __future__ import annotations

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from infra.models import PaymentMethod, StripeCustomer


def customer_of(session: Session, fan_id: str) -> str | None:
    """The fan's id at Stripe (`cus_…`); None before they set a card up."""
    return session.scalar(
        select(StripeCustomer.customer_id).where(StripeCustomer.user_id == fan_id)
    )


def country_of(session: Session, payment_method_id: str) -> str | None:
    """Where the bank of a card is (ISO 3166-1 alpha-2), if Stripe knows."""
    return session.scalar(
        select(PaymentMethod.country).where(PaymentMethod.id == payment_method_id)
    )


def default_card(session: Session, fan_id: str) -> PaymentMethod | None:
    """What the fan pays with unless they say otherwise."""
    return session.scalar(card_query(fan_id, None))


def own_card(session: Session, *, fan_id: str, payment_method_id: str) -> PaymentMethod | None:
    """A card that the fan has, and has not removed."""
    return session.scalar(card_query(fan_id, payment_method_id))


def card_query(fan_id: str, payment_method_id: str | None) -> Select[PaymentMethod]:
    """The card of that id if it is the fan's, without an id their default one; for the API's
    session as for an activity's."""
    owned = select(PaymentMethod).where(
        PaymentMethod.fan_id == fan_id, PaymentMethod.removed_at.is_(None)
    )
    if payment_method_id is None:
        return owned.where(PaymentMethod.is_default)
    return owned.where(PaymentMethod.id == payment_method_id)
