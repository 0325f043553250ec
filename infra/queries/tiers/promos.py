"""Promo codes: written by creators, held and used by subscriptions.

A code's row is locked by whoever changes its redemptions, so no cap is passed however many come
at once; the database holds the cap as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from domain.errors import Conflict, Invalid, NotFound
from domain.subscriptions.promos import (
    NOBODY,
    Discount,
    PromoAudience,
    PromoDuration,
    PromoKind,
    PromoRules,
    Redeemer,
    RedemptionState,
    check_promo,
    clean_code,
    no_such_promo,
)
from domain.subscriptions.states import EndReason, SubscriptionState
from domain.tiers import PROMOS_MAX
from infra.models import PromoCode, PromoRedemption, Subscription, Tier

_EDITED = ("audience", "max_redemptions", "per_fan_max", "starts_at", "expires_at")
_COUNTED = (RedemptionState.HELD, RedemptionState.USED)


def discount_of(promo: PromoCode) -> Discount:
    return Discount(PromoKind(promo.kind), promo.value, PromoDuration(promo.duration), promo.months)


def rules_of(promo: PromoCode) -> PromoRules:
    return PromoRules(
        tier_id=promo.tier_id,
        starts_at=promo.starts_at,
        expires_at=promo.expires_at,
        audience=PromoAudience(promo.audience),
        max_redemptions=promo.max_redemptions,
        per_fan_max=promo.per_fan_max,
    )


# --- by creators -----------------------------------------------------------------------------


def no_own_promo() -> NotFound:
    """The same for a code that is another's, and for one that is not there."""
    return NotFound("There is no such code.", code="promo_not_found")


def lock_own_promo(session: Session, promo_id: str, *, creator_id: str) -> PromoCode:
    """The row, locked as it stands now.

    Raises:
        NotFound: `promo_not_found`.
        Conflict: `promo_archived`.
    """
    promo = session.get(PromoCode, promo_id, with_for_update=True, populate_existing=True)
    if promo is None or promo.creator_id != creator_id:
        raise no_own_promo()
    if promo.archived_at is not None:
        raise Conflict("It is archived, and stays as it is.", code="promo_archived")
    return promo


def add_promo(session: Session, promo: PromoCode) -> None:
    """Write a new code of a creator whose row is locked.

    Raises:
        Invalid: its parts don't fit, or `tier_unknown`.
        Conflict: `promo_code_taken` or `too_many_promos`.
    """
    discount_of(promo).check()
    rules_of(promo).check()
    _require_own_tier(session, promo)
    live = select(PromoCode.code).where(
        PromoCode.creator_id == promo.creator_id, PromoCode.archived_at.is_(None)
    )
    codes = session.scalars(live).all()
    if promo.code in codes:
        raise Conflict("You have this code already.", code="promo_code_taken", promo=promo.code)
    if len(codes) >= PROMOS_MAX:
        raise Conflict(
            f"Up to {PROMOS_MAX} codes can count. Archive one first.",
            code="too_many_promos",
            limit=PROMOS_MAX,
        )
    session.add(promo)
    session.flush()


def edit_promo(
    session: Session, promo: PromoCode, changes: Mapping[str, Any], *, at: datetime
) -> None:
    """Change whom a locked code is for, when, and how often.

    Raises:
        Invalid: `promo_expires_unfit`.
        Conflict: `promo_cap_passed`; more have redeemed it already.
    """
    for name in _EDITED:
        setattr(promo, name, changes.get(name, getattr(promo, name)))
    rules_of(promo).check()
    cap = promo.max_redemptions
    if cap is not None and cap < promo.redeemed_count:
        raise Conflict(
            "It has been redeemed more often already.",
            code="promo_cap_passed",
            redeemed_count=promo.redeemed_count,
        )
    touch(promo, at)
    session.flush()


def touch(promo: PromoCode, at: datetime) -> None:
    """Count an edit of a locked code."""
    promo.version += 1
    promo.updated_at = at


def _require_own_tier(session: Session, promo: PromoCode) -> None:
    if promo.tier_id is None:
        return
    tier = session.get(Tier, promo.tier_id)
    if tier is None or tier.creator_id != promo.creator_id or tier.archived_at is not None:
        raise Invalid("You have no such tier.", code="tier_unknown", tier_id=promo.tier_id)


# --- by fans ---------------------------------------------------------------------------------


def find_promo(session: Session, creator_id: str, code: str) -> PromoCode:
    """The creator's code that reads so.

    Raises:
        Invalid: `promo_unknown`.
    """
    kept = clean_code(code)
    wanted = select(PromoCode).where(
        PromoCode.creator_id == creator_id, PromoCode.code == kept, PromoCode.archived_at.is_(None)
    )
    promo = session.scalar(wanted) if kept is not None else None
    if promo is None:
        raise no_such_promo()
    return promo


def redeemer_of(
    session: Session, fan_id: str | None, *, creator_id: str, promo_id: str | None = None
) -> Redeemer:
    """How the fan stands to the creator, and to one of their codes."""
    if fan_id is None:
        return NOBODY
    begun = (
        select(Subscription.state)
        .where(
            Subscription.fan_id == fan_id,
            Subscription.creator_id == creator_id,
            Subscription.state != SubscriptionState.INCOMPLETE,
            Subscription.end_reason.is_distinct_from(EndReason.NEVER_PAID),
        )
        .distinct()
    )
    states = [SubscriptionState(state) for state in session.scalars(begun)]
    redemptions = 0
    if promo_id is not None:
        counted = select(func.count()).where(
            PromoRedemption.promo_id == promo_id,
            PromoRedemption.fan_id == fan_id,
            PromoRedemption.state.in_(_COUNTED),
        )
        redemptions = session.scalar(counted) or 0
    return Redeemer(
        ever_subscribed=bool(states),
        subscribed=any(not state.is_final for state in states),
        redemptions=redemptions,
    )


def check_redeemable(
    session: Session, promo: PromoCode, *, fan_id: str | None, tier_id: str, at: datetime
) -> None:
    """May the fan redeem it for this tier now?

    Raises:
        Invalid: `promo_unknown` where it is archived; else as `check_promo`.
    """
    if promo.archived_at is not None:
        raise no_such_promo()
    check_promo(
        rules_of(promo),
        redeemer_of(session, fan_id, creator_id=promo.creator_id, promo_id=promo.id),
        tier_id=tier_id,
        redeemed=promo.redeemed_count,
        at=at,
    )


def hold_promo(
    session: Session,
    promo_id: str,
    *,
    fan_id: str,
    subscription_id: str,
    tier_id: str,
    at: datetime,
) -> Discount:
    """Take one of the code's places for a subscription whose first payment is to come.

    A repeat for the same subscription takes no second place. Locks the code until the
    transaction ends.

    Raises:
        Invalid: the code does not count (any more); as `check_redeemable`.
    """
    promo = session.get_one(PromoCode, promo_id, with_for_update=True, populate_existing=True)
    redemption = session.get(PromoRedemption, subscription_id, populate_existing=True)
    if redemption is not None and redemption.state in _COUNTED:
        if redemption.promo_id != promo.id:
            raise Conflict("This subscription has another code.", code="promo_differs")
        return discount_of(promo)
    check_redeemable(session, promo, fan_id=fan_id, tier_id=tier_id, at=at)
    if redemption is None:
        redemption = PromoRedemption(subscription_id=subscription_id)
        session.add(redemption)
    redemption.promo_id, redemption.fan_id = promo.id, fan_id
    redemption.state, redemption.held_at = RedemptionState.HELD.value, at
    redemption.settled_at = None
    promo.redeemed_count += 1
    session.flush()
    return discount_of(promo)


def use_promo(session: Session, subscription_id: str, *, at: datetime) -> None:
    """The first payment went through, or nothing was to be paid: the place is taken for good.

    Nothing happens where the subscription holds none. One that was released meanwhile is taken
    again, within the cap or not: the fan was promised the price that they have paid.
    """
    redemption = _lock_redemption(session, subscription_id)
    if redemption is None or redemption.state == RedemptionState.USED:
        return
    if redemption.state == RedemptionState.RELEASED:
        promo = session.get_one(PromoCode, redemption.promo_id)
        if promo.max_redemptions is not None:
            promo.max_redemptions = max(promo.max_redemptions, promo.redeemed_count + 1)
        promo.redeemed_count += 1
    redemption.state, redemption.settled_at = RedemptionState.USED.value, at
    session.flush()


def release_promo(session: Session, subscription_id: str, *, at: datetime) -> None:
    """The first payment came to nothing: the place is free again, also for this fan.

    What was used stays used. Nothing happens where nothing is held.
    """
    redemption = _lock_redemption(session, subscription_id)
    if redemption is None or redemption.state != RedemptionState.HELD:
        return
    session.get_one(PromoCode, redemption.promo_id).redeemed_count -= 1
    redemption.state, redemption.settled_at = RedemptionState.RELEASED.value, at
    session.flush()


def _lock_redemption(session: Session, subscription_id: str) -> PromoRedemption | None:
    """The redemption and, before it, its code: locks come in one order."""
    promo_id = session.scalar(
        select(PromoRedemption.promo_id).where(PromoRedemption.subscription_id == subscription_id)
    )
    if promo_id is None:
        return None
    session.get_one(PromoCode, promo_id, with_for_update=True, populate_existing=True)
    return session.get_one(PromoRedemption, subscription_id, populate_existing=True)
