"""What is to be charged for a subscription: terms that do not change while a try goes on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from domain.ids import derived_id
from domain.subscriptions.rules import Rules
from domain.subscriptions.states import SubscriptionState
from infra.models import Charge, PaymentMethod, Subscription, User
from infra.queries.payment_methods import default_card, own_card
from infra.queries.subscriptions.effects import (
    change_tier_now,
    decline_without_card,
    fail_upgrade,
    period_step,
    plan_upgrade,
    start_or_renew,
    upgrade_step,
)
from infra.queries.subscriptions.periods import next_period_price
from infra.queries.subscriptions.rows import state_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """One try to charge a fan for a subscription."""

    charge_id: str
    subscription_id: str
    step: str
    generation: int
    fan_id: str
    creator_id: str
    amount_minor: int
    currency: str
    payment_method_id: str
    off_session: bool
    description: str


def begin_next_period(
    session: Session, subscription: Subscription, *, at: datetime, rules: Rules
) -> Due | None:
    """What the next period of a locked subscription costs; None: that is settled already,
    because it costs nothing or there is no card."""
    if subscription.upgrade_tier_id is not None:
        plan_upgrade(subscription, at=at)
    price = next_period_price(session, subscription, rules)
    if price.is_free:
        start_or_renew(session, subscription, paid_minor=0, at=at, rules=rules)
        return None
    card = _card_of(session, subscription)
    if card is None:
        decline_without_card(
            session, subscription, amount_minor=price.total_minor, at=at, rules=rules
        )
        return None
    is_first = state_of(subscription) is SubscriptionState.INCOMPLETE
    is_there = is_first or subscription.payment_asked_at is not None
    return _due(
        session,
        subscription,
        step=period_step(subscription.period_index + 1),
        generation=subscription.declines + 1,
        amount_minor=price.total_minor,
        card=card,
        off_session=not is_there,
    )


def begin_upgrade(
    session: Session, subscription: Subscription, *, at: datetime, rules: Rules
) -> Due | None:
    """What an upgrade costs that the fan has asked for; None: nothing, and it is made."""
    cost = subscription.upgrade_cost_minor
    card = _card_of(session, subscription)
    if not cost:
        change_tier_now(session, subscription, paid_minor=0, at=at, rules=rules)
        return None
    if card is None:
        fail_upgrade(subscription, at=at, decline_code="card_missing")
        return None
    return _due(
        session,
        subscription,
        step=upgrade_step(subscription.upgrades + 1),
        generation=1,
        amount_minor=cost,
        card=card,
        off_session=False,
    )


def due_again(session: Session, charge: Charge) -> Due:
    """A try that was begun, on the terms that it was begun with."""
    return Due(
        charge_id=charge.id,
        subscription_id=charge.subject_id,
        step=charge.step,
        generation=charge.generation,
        fan_id=charge.fan_id,
        creator_id=charge.creator_id,
        amount_minor=charge.amount_minor,
        currency=charge.currency,
        payment_method_id=charge.payment_method_id,
        off_session=charge.off_session,
        description=_description(session, charge.creator_id),
    )


def _due(
    session: Session,
    subscription: Subscription,
    *,
    step: str,
    generation: int,
    amount_minor: int,
    card: PaymentMethod,
    off_session: bool,
) -> Due:
    charge_id = derived_id("charge", subscription.id, step, str(generation))
    subscription.charge_id, subscription.charge_expires_at = charge_id, None
    return Due(
        charge_id=charge_id,
        subscription_id=subscription.id,
        step=step,
        generation=generation,
        fan_id=subscription.fan_id,
        creator_id=subscription.creator_id,
        amount_minor=amount_minor,
        currency=subscription.currency,
        payment_method_id=card.id,
        off_session=off_session,
        description=_description(session, subscription.creator_id),
    )


def _card_of(session: Session, subscription: Subscription) -> PaymentMethod | None:
    """The card that the fan chose, or their default one where they have removed it."""
    chosen = None
    if subscription.payment_method_id is not None:
        chosen = own_card(
            session,
            fan_id=subscription.fan_id,
            payment_method_id=subscription.payment_method_id,
        )
    return chosen or default_card(session, subscription.fan_id)


def _description(session: Session, creator_id: str) -> str:
    return f"Subscription to {session.get_one(User, creator_id).handle}"
