"""Beginning a subscription: its row, before anything is taken."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from domain.errors import Conflict, Invalid
from domain.subscriptions.events import EventKind
from domain.subscriptions.pricing import Plan, price_of_period, trial_days_of
from domain.subscriptions.states import SubscriptionState
from infra.models import PaymentMethod, Subscription, SubscriptionEvent, TrialUse
from infra.queries.tiers.buying import Offered
from infra.queries.tiers.promos import hold_promo

_FINAL = (SubscriptionState.CANCELED, SubscriptionState.EXPIRED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """What a fan wants to subscribe to, and how to pay for it."""

    id: str
    """Of the subscription; the same wish again has the same."""
    fan_id: str
    offered: Offered
    """By the same transaction, which holds the tier."""
    card: PaymentMethod | None = None
    at: datetime


def begin_subscription(session: Session, wish: Beginning) -> Subscription:
    """The row of a new subscription; of the same wish again the one that there is.

    A trial is for who never was subscribed to this creator, and whose card never tried them,
    in whichever account it was. Others begin without one, and pay at once.

    Raises:
        Invalid: `own_tier`; one does not subscribe to oneself.
        Conflict: `already_subscribed`, with the `subscription_id` that lives; `card_missing`,
            where there is something to pay now or after the trial.
    """
    known = session.get(Subscription, wish.id)
    if known is not None:
        return known
    tier, plan = wish.offered.tier, wish.offered.plan
    if tier.creator_id == wish.fan_id:
        raise Invalid("This is your own tier.", code="own_tier")
    _require_none_lives(session, wish)
    if wish.card is None and not _is_free(plan):
        raise Conflict("Add a card first.", code="card_missing")
    subscription = Subscription(
        id=wish.id,
        fan_id=wish.fan_id,
        creator_id=tier.creator_id,
        state=SubscriptionState.INCOMPLETE.value,
        version=1,
        tier_id=tier.id,
        price_minor=plan.price_minor,
        currency=plan.currency,
        months=plan.months,
        bundle_bps=plan.bundle_bps,
        payment_method_id=wish.card.id if wish.card is not None else None,
        created_at=wish.at,
        updated_at=wish.at,
    )
    try:
        with session.begin_nested():
            session.add(subscription)
            session.flush()
    except IntegrityError:
        # Another request came between the look and the insert.
        if subscription in session:
            session.expunge(subscription)
        _require_none_lives(session, wish)
        raise
    if wish.offered.promo is not None:
        _redeem(session, subscription, wish.offered.promo.id, at=wish.at)
    days = trial_days_of(plan)
    if days and _may_try(session, wish):
        subscription.trial_days = days
    session.add(
        SubscriptionEvent(
            subscription_id=wish.id,
            seq=1,
            kind=EventKind.CREATED.value,
            at=wish.at,
            facts={"tier_id": tier.id, "months": plan.months},
        )
    )
    session.flush()
    return subscription


def _require_none_lives(session: Session, wish: Beginning) -> None:
    living = session.execute(
        select(Subscription.id, Subscription.state).where(
            Subscription.fan_id == wish.fan_id,
            Subscription.creator_id == wish.offered.tier.creator_id,
            Subscription.state.not_in(_FINAL),
        )
    ).first()
    if living is not None:
        raise Conflict(
            "You have a subscription to this creator already.",
            code="already_subscribed",
            subscription_id=living.id,
            state=living.state,
        )


def _is_free(plan: Plan) -> bool:
    """Whether nothing is ever to be paid on these terms."""
    return plan.price_minor == 0 or price_of_period(plan, months_before=1200).is_free


def _redeem(session: Session, subscription: Subscription, promo_id: str, *, at: datetime) -> None:
    """Hold one of the code's places, and keep what it takes off as it is now."""
    discount = hold_promo(
        session,
        promo_id,
        fan_id=subscription.fan_id,
        subscription_id=subscription.id,
        tier_id=subscription.tier_id,
        at=at,
    )
    subscription.promo_code_id = promo_id
    subscription.promo_kind, subscription.promo_value = discount.kind.value, discount.value
    subscription.promo_duration = discount.duration.value
    subscription.promo_months = discount.months


def _may_try(session: Session, wish: Beginning) -> bool:
    """Use up the one trial of this creator that an account and a card have, if it is there."""
    if wish.card is None or wish.card.fingerprint is None:
        return False
    earlier = select(Subscription.id).where(
        Subscription.fan_id == wish.fan_id,
        Subscription.creator_id == wish.offered.tier.creator_id,
        Subscription.period_start.is_not(None),
    )
    if session.scalar(earlier.limit(1)) is not None:
        return False
    used = (
        insert(TrialUse)
        .values(
            creator_id=wish.offered.tier.creator_id,
            fan_id=wish.fan_id,
            fingerprint=wish.card.fingerprint,
            subscription_id=wish.id,
            used_at=wish.at,
        )
        .on_conflict_do_nothing()
        .returning(TrialUse.fan_id)
    )
    return session.scalar(used) is not None
