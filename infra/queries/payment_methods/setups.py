"""What runs of cards write. Inside the caller's transaction.

The fan's row in `users` is locked before their default card changes, so that two cards that are
added at once don't both become it.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from domain.payment_methods import SetupState
from infra.models import CardSetup, PaymentMethod, StripeCustomer, User
from infra.stripe import objects


def keep_customer(session: Session, *, fan_id: str, customer_id: str, at: datetime) -> None:
    """Write down who a fan is to Stripe; the first one counts."""
    session.execute(
        insert(StripeCustomer)
        .values(user_id=fan_id, customer_id=customer_id, created_at=at)
        .on_conflict_do_nothing(index_elements=["user_id"])
    )


def setup_of(session: Session, setup_id: str) -> CardSetup:
    """A setup, locked."""
    return session.get_one(CardSetup, setup_id, with_for_update=True, populate_existing=True)


def keep_form(setup: CardSetup, intent: objects.SetupIntent) -> None:
    """Give an open setup what the browser needs."""
    if setup.state == SetupState.OPEN:
        setup.setup_intent_id = intent.id
        setup.client_secret = intent.client_secret


def close_setup(
    session: Session,
    setup: CardSetup,
    card: objects.PaymentMethod | None,
    *,
    without: SetupState = SetupState.EXPIRED,
    at: datetime,
) -> None:
    """End an open setup with the card that was confirmed; `without` one it is in that state."""
    if setup.state != SetupState.OPEN:
        return
    if card is not None:
        keep_card(session, card, fan_id=setup.fan_id, at=at)
        setup.payment_method_id = card.id
        setup.decline_code = None
    setup.state = (without if card is None else SetupState.SUCCEEDED).value
    setup.closed_at = at
    setup.client_secret = None
    session.flush()


def keep_card(session: Session, card: objects.PaymentMethod, *, fan_id: str, at: datetime) -> None:
    """Write a card down. The first one a fan has is what they pay with."""
    session.execute(select(User.id).where(User.id == fan_id).with_for_update())
    has_default = session.scalar(
        select(exists().where(PaymentMethod.fan_id == fan_id, PaymentMethod.is_default))
    )
    session.execute(
        insert(PaymentMethod)
        .values(
            id=card.id,
            fan_id=fan_id,
            brand=card.brand,
            last4=card.last4,
            exp_month=card.exp_month,
            exp_year=card.exp_year,
            fingerprint=card.fingerprint,
            country=card.country,
            is_default=not has_default,
            added_at=at,
        )
        .on_conflict_do_nothing(index_elements=["id"])
    )
