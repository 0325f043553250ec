"""What creators do to their tiers and bundles. Every function runs inside the caller's
transaction, and holds the lock of the creator's row: tiers of one creator change one at a time,
so ranks, limits and the currency can't pass each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from domain.errors import Conflict, Invalid, NotFound
from domain.posts import Audience, PostState
from domain.subscriptions.pricing import PRICE_NOTICE, TierPrice, announce_price
from domain.tiers import TIERS_MAX, check_order
from infra.ids import new_id
from infra.models import Creator, Post, PromoCode, Tier, TierBundle, TierPriceChange


def no_such_tier() -> NotFound:
    """The same for a tier that is another's, and for one that is not there."""
    return NotFound("There is no such tier.", code="tier_not_found")


def lock_creator(session: Session, creator_id: str) -> Creator:
    """The creator's row, locked as it stands now."""
    return session.get_one(Creator, creator_id, with_for_update=True, populate_existing=True)


def lock_own_tier(session: Session, tier_id: str, *, creator_id: str) -> Tier:
    """A tier that is for sale or hidden, locked as it stands now, and its creator with it.

    Raises:
        NotFound: `tier_not_found`.
        Conflict: `tier_archived`.
    """
    lock_creator(session, creator_id)
    tier = session.get(Tier, tier_id, with_for_update=True, populate_existing=True)
    if tier is None or tier.creator_id != creator_id:
        raise no_such_tier()
    if tier.archived_at is not None:
        raise Conflict("It is archived, and stays as it is.", code="tier_archived")
    return tier


def live_tiers(session: Session, creator_id: str) -> Sequence[Tier]:
    """By rank, those that are not in the public list among them."""
    wanted = select(Tier).where(Tier.creator_id == creator_id, Tier.archived_at.is_(None))
    return session.scalars(wanted.order_by(Tier.rank)).all()


def add_tier(session: Session, tier: Tier, *, at: datetime) -> None:
    """Put a new tier above all others, archived ones too: it opens what each of them does.

    Raises:
        Conflict: `too_many_tiers`.
    """
    if len(live_tiers(session, tier.creator_id)) >= TIERS_MAX:
        raise Conflict(
            f"Up to {TIERS_MAX} tiers can be for sale. Archive one first.",
            code="too_many_tiers",
            limit=TIERS_MAX,
        )
    highest = select(func.max(Tier.rank)).where(Tier.creator_id == tier.creator_id)
    tier.rank = (session.scalar(highest) or 0) + 1
    session.add(tier)
    session.flush()
    _announce(session, tier, tier.price_minor, at=at)


def price_history(session: Session, tier_id: str) -> list[TierPrice]:
    """All prices that the tier has had, the first one first."""
    wanted = (
        select(TierPriceChange)
        .where(TierPriceChange.tier_id == tier_id)
        .order_by(TierPriceChange.announced_at)
    )
    return [
        TierPrice(each.price_minor, each.announced_at, each.effective_at)
        for each in session.scalars(wanted)
    ]


def set_price(session: Session, tier: Tier, price_minor: int, *, at: datetime) -> None:
    """Another price for a locked tier: for who subscribes from now on, and for others at a
    renewal (`domain.subscriptions.pricing.price_at_renewal`)."""
    _announce(session, tier, price_minor, at=at)
    tier.price_minor = price_minor


def _announce(session: Session, tier: Tier, price_minor: int, *, at: datetime) -> None:
    history = price_history(session, tier.id)
    price = announce_price(price_minor, history=history, at=at, notice=PRICE_NOTICE)
    session.add(
        TierPriceChange(
            tier_id=tier.id,
            announced_at=price.announced_at,
            price_minor=price.price_minor,
            effective_at=price.effective_at,
        )
    )
    session.flush()


def touch(tier: Tier, at: datetime) -> None:
    """Count an edit of a locked tier."""
    tier.version += 1
    tier.updated_at = at


def archive(session: Session, tier: Tier, *, at: datetime) -> None:
    """Sell a locked tier no more. Who subscribes to it stays so, and sees what they saw.

    Raises:
        Conflict: `tier_needed`; posts are for it, and no other tier that is for sale opens them.
    """
    others = [each.rank for each in live_tiers(session, tier.creator_id) if each.id != tier.id]
    post_id = session.scalar(_post_above(tier.creator_id, max(others, default=0)))
    if post_id is not None:
        raise Conflict(
            "Posts are for this tier, and nobody could subscribe to them any more. Give them "
            "another audience first, or make a higher tier.",
            code="tier_needed",
            post_id=post_id,
        )
    for bundle in live_bundles(session, tier.id):
        bundle.archived_at = at
    tier.archived_at = at
    touch(tier, at)


def _post_above(creator_id: str, rank: int) -> Select[str]:
    """A post that is for a tier of a higher rank than this one."""
    return (
        select(Post.id)
        .join(Tier, Tier.id == Post.tier_id)
        .where(
            Post.creator_id == creator_id,
            Post.audience == Audience.TIER,
            Post.state != PostState.DELETED,
            Tier.rank > rank,
        )
        .limit(1)
    )


def reorder(session: Session, creator_id: str, tier_ids: Sequence[str], *, at: datetime) -> None:
    """Give the creator's tiers this order, the lowest first.

    The ranks that they have are dealt out anew, so that archived tiers stay where they are
    among them. Posts that are for a tier are open from its new rank on.

    Raises:
        Conflict: `tiers_changed`.
    """
    lock_creator(session, creator_id)
    live = {each.id: each for each in live_tiers(session, creator_id)}
    check_order(tier_ids, list(live))
    ranks = sorted(each.rank for each in live.values())
    moved = [
        (live[tier_id], rank)
        for tier_id, rank in zip(tier_ids, ranks, strict=True)
        if live[tier_id].rank != rank
    ]
    # Out of each other's way first: no two may have one rank, not even for a moment.
    above = max(ranks, default=0)
    for place, (tier, _) in enumerate(moved, start=1):
        tier.rank = above + place
    session.flush()
    for tier, rank in moved:
        tier.rank = rank
        touch(tier, at)
    session.flush()


# --- bundles ---------------------------------------------------------------------------------


def live_bundles(session: Session, tier_id: str) -> Sequence[TierBundle]:
    """The shortest first."""
    wanted = select(TierBundle).where(
        TierBundle.tier_id == tier_id, TierBundle.archived_at.is_(None)
    )
    return session.scalars(wanted.order_by(TierBundle.months)).all()


def set_bundle(
    session: Session, tier: Tier, *, months: int, discount_bps: int, at: datetime
) -> None:
    """Sell that many months of a locked tier at once, with this discount.

    Who has bought the bundle before keeps the discount that they bought it with.

    Raises:
        Invalid: `bundle_unfit`; the tier is free.
    """
    if tier.price_minor == 0:
        raise Invalid("What is free is not cheaper by the year.", code="bundle_unfit")
    for bundle in live_bundles(session, tier.id):
        if bundle.months == months:
            if bundle.discount_bps == discount_bps:
                return
            bundle.archived_at = at
    session.flush()
    session.add(
        TierBundle(
            id=new_id(),
            tier_id=tier.id,
            months=months,
            discount_bps=discount_bps,
            created_at=at,
        )
    )
    touch(tier, at)


def drop_bundle(session: Session, tier: Tier, *, months: int, at: datetime) -> None:
    """Sell it no more; where there is none, nothing happens."""
    for bundle in live_bundles(session, tier.id):
        if bundle.months == months:
            bundle.archived_at = at
            touch(tier, at)


# --- the creator's currency ------------------------------------------------------------------


def set_currency(session: Session, creator: Creator, currency: str) -> None:
    """Price everything that a locked creator sells in another currency.

    Raises:
        Conflict: `currency_stays`; something has a price in the old one, or had one.
    """
    if currency == creator.currency:
        return
    for table in (Tier, PromoCode):
        priced = select(table.id).where(table.creator_id == creator.user_id).limit(1)
        if session.scalar(priced) is not None:
            raise Conflict(
                "Your tiers and codes have prices in this currency.",
                code="currency_stays",
                currency=creator.currency,
            )
    creator.currency = currency
    creator.tip_minimum_minor = None
