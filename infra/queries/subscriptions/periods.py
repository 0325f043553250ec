"""Prices and periods of a subscription's row, by the rules of `domain/subscriptions`."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from domain.subscriptions.life import begins_anew
from domain.subscriptions.periods import Period, months_after
from domain.subscriptions.pricing import PeriodPrice, Plan, price_of_period
from domain.subscriptions.promos import Discount, PromoDuration, PromoKind
from domain.subscriptions.rules import Rules
from domain.subscriptions.states import SubscriptionState
from infra.models import PromoCode, Subscription
from infra.queries.subscriptions.giving import set_access
from infra.queries.subscriptions.prices import renewal_price
from infra.queries.subscriptions.rows import move_to, state_of
from infra.queries.tiers.promos import use_promo


def discount_of(session: Session, subscription: Subscription, *, tier_id: str) -> Discount | None:
    """What the promo code takes off in this tier, as it was when it was redeemed.

    A code for one tier takes nothing off another: who goes there pays its price.
    """
    if subscription.promo_kind is None:
        return None
    promo = session.get_one(PromoCode, subscription.promo_code_id)
    if promo.tier_id not in (None, tier_id):
        return None
    assert subscription.promo_value is not None and subscription.promo_duration is not None
    return Discount(
        PromoKind(subscription.promo_kind),
        subscription.promo_value,
        PromoDuration(subscription.promo_duration),
        subscription.promo_months,
    )


def next_plan(session: Session, subscription: Subscription, rules: Rules) -> Plan:
    """On which terms the next period would begin: a planned tier, and a price that counts then."""
    tier_id = subscription.next_tier_id or subscription.tier_id
    if subscription.next_tier_id is not None:
        assert subscription.next_price_minor is not None
        price, bundle_bps = subscription.next_price_minor, subscription.next_bundle_bps or 0
    else:
        price = renewal_price(session, subscription, rules).price_minor
        bundle_bps = subscription.bundle_bps
    return Plan(
        price,
        subscription.currency,
        subscription.months,
        bundle_bps,
        discount_of(session, subscription, tier_id=tier_id),
    )


def next_period_price(session: Session, subscription: Subscription, rules: Rules) -> PeriodPrice:
    """What the next period costs."""
    plan = next_plan(session, subscription, rules)
    return price_of_period(plan, months_before=subscription.months_begun)


def running_period(subscription: Subscription) -> Period:
    """The period that runs, of what is trialing, active or canceling."""
    assert subscription.period_start is not None and subscription.period_end is not None
    return Period(
        max(subscription.period_index, 1), subscription.period_start, subscription.period_end
    )


def begin_trial(
    session: Session, subscription: Subscription, *, at: datetime, rules: Rules
) -> None:
    """Let a locked, incomplete subscription begin with its days for nothing."""
    assert subscription.trial_days is not None
    ends_at = at + timedelta(days=subscription.trial_days)
    move_to(subscription, SubscriptionState.TRIALING)
    subscription.period_start, subscription.period_end = at, ends_at
    notice_at = ends_at - TRIAL_NOTICE
    subscription.trial_notice_at = notice_at if notice_at > at else None
    use_promo(session, subscription.id, at=at)
    set_access(session, subscription, at=at, rules=rules)


TRIAL_NOTICE = timedelta(days=3)
"""Before a trial ends its fan is told. One that is no longer than that says so as it begins."""


def begin_period(
    session: Session,
    subscription: Subscription,
    *,
    paid_minor: int,
    at: datetime,
    rules: Rules,
) -> None:
    """Begin the next period of a locked subscription, which is paid.

    A cancellation that came while it was being paid stays: it ends with this period.
    """
    plan = next_plan(session, subscription, rules)
    state = state_of(subscription)
    _set_period(subscription, state, at=at, rules=rules)
    if subscription.next_tier_id is not None:
        subscription.tier_id = subscription.next_tier_id
        subscription.bundle_bps = plan.bundle_bps
    subscription.price_minor = plan.price_minor
    subscription.next_tier_id = None
    subscription.next_price_minor = subscription.next_bundle_bps = None
    if subscription.told_price_minor is not None:
        _settle_rise(subscription, plan.price_minor)
    subscription.period_index += 1
    subscription.months_begun += subscription.months
    subscription.period_paid_minor = paid_minor
    forget_declines(subscription)
    if state is SubscriptionState.PAUSED:
        subscription.resume_at = None
    if state is not SubscriptionState.CANCELING:
        move_to(subscription, SubscriptionState.ACTIVE)
    set_access(session, subscription, at=at, rules=rules)


def _settle_rise(subscription: Subscription, price_minor: int) -> None:
    """A rise that has come, or was taken back, is nothing to ask about any more."""
    assert subscription.told_price_minor is not None
    if subscription.told_price_minor <= price_minor:
        subscription.told_price_minor = subscription.told_at = None
        subscription.agreed_price_minor = None


def _set_period(
    subscription: Subscription, state: SubscriptionState, *, at: datetime, rules: Rules
) -> None:
    ended = subscription.period_end
    if ended is None or begins_anew(state, ended, grace=rules.grace, at=at):
        subscription.anchor_at, subscription.anchor_months = at, 0
    elif subscription.anchor_at is None:
        # The periods of what began with a trial are counted from its end.
        subscription.anchor_at, subscription.anchor_months = ended, 0
    anchor, begun = subscription.anchor_at, subscription.anchor_months
    assert anchor is not None
    subscription.period_start = months_after(anchor, begun)
    subscription.period_end = months_after(anchor, begun + subscription.months)
    subscription.anchor_months = begun + subscription.months


def forget_declines(subscription: Subscription) -> None:
    """What was declined is paid, or does not matter any more."""
    subscription.declines = subscription.retries_done = 0
    subscription.first_declined_at = subscription.decline_code = None
    subscription.retry_at = subscription.give_up_at = None
    subscription.payment_asked_at = None
