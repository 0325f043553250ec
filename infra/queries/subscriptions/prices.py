"""What a tier costs those who are subscribed to it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from domain.subscriptions.pricing import RenewalPrice, RenewalRule, price_at_renewal
from domain.subscriptions.rules import Rules
from infra.models import Subscription, Tier
from infra.queries.tiers.writing import price_history


def renewal_price(session: Session, subscription: Subscription, rules: Rules) -> RenewalPrice:
    """The tier's price, a month, for the period that comes after the one that runs.

    By the rules of `price_at_renewal`; besides, a rise counts only if this very fan was mailed
    of it in good time, whatever the creator announced.
    """
    renews_at = subscription.period_end
    current = subscription.price_minor
    if renews_at is None:
        return RenewalPrice(current, RenewalRule.SAME)
    renewal = price_at_renewal(
        current_minor=current,
        agreed_minor=subscription.agreed_price_minor,
        history=price_history(session, subscription.tier_id),
        renews_at=renews_at,
    )
    if renewal.price_minor > current and not _was_told(
        subscription, renewal.price_minor, by=renews_at - rules.price_notice
    ):
        return RenewalPrice(current, RenewalRule.SAME)
    return renewal


def _was_told(subscription: Subscription, price_minor: int, *, by: datetime) -> bool:
    told_at, told = subscription.told_at, subscription.told_price_minor
    return told_at is not None and told is not None and told >= price_minor and told_at <= by


def tell_of_rise(session: Session, subscription: Subscription, at: datetime) -> int | None:
    """Write down that the fan is told of the tier's higher price; None where there is nothing
    to tell. Returns the new price, a month."""
    tier = session.get_one(Tier, subscription.tier_id)
    price = tier.price_minor
    if price <= subscription.price_minor or subscription.told_price_minor == price:
        return None
    if subscription.next_tier_id is not None:
        return None  # It is not this tier that comes next.
    subscription.told_price_minor, subscription.told_at = price, at
    return price
