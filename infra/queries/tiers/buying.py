"""What a fan who wants to subscribe is offered: one tier, for so many months, with a code."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from domain.errors import Conflict, Invalid
from domain.subscriptions.pricing import Plan
from domain.subscriptions.states import SubscriptionState
from infra.models import PromoCode, Subscription, Tier, TierBundle
from infra.queries.tiers.promos import check_redeemable, discount_of, find_promo, redeemer_of
from infra.queries.tiers.writing import no_such_tier

_FINAL = [state.value for state in SubscriptionState if state.is_final]


@dataclass(frozen=True, slots=True)
class Offered:
    """A tier on these terms, for one fan."""

    tier: Tier
    plan: Plan
    promo: PromoCode | None


def offered(
    session: Session,
    *,
    creator_id: str,
    tier_id: str,
    months: int,
    code: str | None,
    fan_id: str | None,
    at: datetime,
    lock: bool = False,
    holder_id: str | None = None,
) -> Offered:
    """The terms on which the fan may subscribe at `at`.

    A tier's trial is for who never subscribed to the creator. A code is checked and not held:
    who subscribes holds it with `hold_promo` in the same transaction.

    Args:
        months: 1, or those of one of the tier's bundles.
        fan_id: None is somebody who is not signed in.
        lock: keep the tier as it is until the transaction ends, so that its cap is not passed.
        holder_id: the subscription that asks, which needs no second place.

    Raises:
        NotFound: `tier_not_found`; the creator does not sell it, or not any more.
        Invalid: `bundle_unknown`, `promo_not_needed`, or why the code does not count.
        Conflict: `tier_full`.
    """
    tier = session.get(Tier, tier_id, with_for_update=lock, populate_existing=True)
    if tier is None or tier.creator_id != creator_id or tier.archived_at is not None:
        raise no_such_tier()
    require_room(session, tier, holder_id=holder_id)
    bundle_bps = _bundle_bps(session, tier, months)
    promo = None
    if code is not None:
        promo = find_promo(session, creator_id, code)
        if tier.price_minor == 0:
            raise Invalid("This tier is free; it needs no code.", code="promo_not_needed")
        check_redeemable(session, promo, fan_id=fan_id, tier_id=tier.id, at=at)
    is_new = not redeemer_of(session, fan_id, creator_id=creator_id).ever_subscribed
    plan = Plan(
        price_minor=tier.price_minor,
        currency=tier.currency,
        months=months,
        bundle_bps=bundle_bps,
        discount=discount_of(promo) if promo is not None else None,
        trial_days=tier.trial_days if is_new else 0,
    )
    return Offered(tier, plan, promo)


def require_room(session: Session, tier: Tier, *, holder_id: str | None = None) -> None:
    """May one more subscribe to the tier? Exact where its row is locked.

    Who has the tier holds a place, and so does who comes to it with the next period, or is
    paying for it: what was promised and paid can't be refused when its day comes.

    Raises:
        Conflict: `tier_full`.
    """
    if tier.subscriber_cap is None:
        return
    held = select(func.count()).where(
        or_(
            Subscription.tier_id == tier.id,
            Subscription.next_tier_id == tier.id,
            Subscription.upgrade_tier_id == tier.id,
        ),
        Subscription.state.not_in(_FINAL),
        Subscription.id.is_distinct_from(holder_id),
    )
    if (session.scalar(held) or 0) >= tier.subscriber_cap:
        raise Conflict(
            "No place is free in this tier.", code="tier_full", subscriber_cap=tier.subscriber_cap
        )


def _bundle_bps(session: Session, tier: Tier, months: int) -> int:
    if months == 1:
        return 0
    wanted = select(TierBundle.discount_bps).where(
        TierBundle.tier_id == tier.id,
        TierBundle.months == months,
        TierBundle.archived_at.is_(None),
    )
    bps = session.scalar(wanted)
    if bps is None:
        raise Invalid(
            f"This tier is not sold for {months} months at once.",
            code="bundle_unknown",
            months=months,
        )
    return bps
