"""Beginning a gift, and lists of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from domain.access import Caller
from domain.errors import Conflict, Invalid
from domain.paging import Keyset
from domain.subscriptions.gifts import GiftKind, GiftState
from domain.subscriptions.pricing import price_of_period
from infra.models import Block, Gift, Tier, User
from infra.queries.gifts.effects import give
from infra.queries.own_pages import ME, fetch_own_page, own_page
from infra.queries.people import PERSON, PERSON_WIDTH, Person, person_from
from infra.queries.tiers.buying import Offered
from infra.reads import ReadPool, Row

_COLUMNS = """g.id::text, g.creator_id::text, g.tier_id::text, g.note, g.state, e.starts_at,
    e.expires_at, g.given_at"""
_RECEIVED = own_page(
    f"{PERSON}, {_COLUMNS}",
    f"""gifts g JOIN users u ON u.id = g.giver_id JOIN entitlements e ON e.id = g.entitlement_id
    WHERE g.recipient_id = {ME}""",
    at="g.created_at",
    key="g.id",
)
_COMPLIMENTS = own_page(
    f"{PERSON}, {_COLUMNS}",
    f"""gifts g JOIN users u ON u.id = g.recipient_id
    JOIN entitlements e ON e.id = g.entitlement_id
    WHERE g.giver_id = {ME} AND g.kind = 'complimentary'""",
    at="g.created_at",
    key="g.id",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoughtGift:
    """What a fan wants to give. Its id is made from the request's key."""

    id: str
    giver_id: str
    recipient: str
    """Handle."""
    offered: Offered
    note: str
    payment_method_id: str
    at: datetime


def begin_gift(session: Session, wish: BoughtGift) -> Gift:
    """The row of a gift, to be charged.

    Raises:
        Invalid: `recipient_unknown`; there is nobody of that handle whom the giver may know.
            `gift_to_oneself`, or `gift_is_free`, where anybody may subscribe for nothing.
    """
    tier, plan = wish.offered.tier, wish.offered.plan
    recipient = _recipient(session, wish.recipient, giver_id=wish.giver_id, tier=tier)
    price = price_of_period(plan)
    if price.is_free:
        raise Invalid("This tier costs nothing.", code="gift_is_free")
    gift = Gift(
        id=wish.id,
        kind=GiftKind.BOUGHT.value,
        giver_id=wish.giver_id,
        recipient_id=recipient.id,
        creator_id=tier.creator_id,
        tier_id=tier.id,
        months=plan.months,
        price_minor=price.total_minor,
        currency=plan.currency,
        payment_method_id=wish.payment_method_id,
        note=wish.note,
        state=GiftState.CHARGING.value,
        created_at=wish.at,
    )
    session.add(gift)
    session.flush()
    return gift


@dataclass(frozen=True, slots=True, kw_only=True)
class Compliment:
    """What a creator gives for nothing."""

    id: str
    creator_id: str
    recipient: str
    """Handle."""
    tier_id: str
    days: int
    note: str
    at: datetime


def give_compliment(session: Session, wish: Compliment) -> Gift:
    """Give it, at once. The same wish again has the same id, and is given once.

    Raises:
        Invalid: `tier_unknown`, `recipient_unknown` or `gift_to_oneself`.
        Conflict: `idempotency_key_reused`.
    """
    known = session.get(Gift, wish.id)
    if known is not None:
        require_same(
            session,
            known,
            recipient=wish.recipient,
            creator_id=wish.creator_id,
            tier_id=wish.tier_id,
            days=wish.days,
        )
        return known
    tier = session.get(Tier, wish.tier_id)
    if tier is None or tier.creator_id != wish.creator_id or tier.archived_at is not None:
        raise Invalid("You have no such tier.", code="tier_unknown", tier_id=wish.tier_id)
    recipient = _recipient(session, wish.recipient, giver_id=wish.creator_id, tier=tier)
    gift = Gift(
        id=wish.id,
        kind=GiftKind.COMPLIMENTARY.value,
        giver_id=wish.creator_id,
        recipient_id=recipient.id,
        creator_id=wish.creator_id,
        tier_id=tier.id,
        days=wish.days,
        price_minor=0,
        currency=tier.currency,
        note=wish.note,
        state=GiftState.CHARGING.value,
        created_at=wish.at,
    )
    session.add(gift)
    session.flush()
    give(session, gift, at=wish.at)
    return gift


def require_same(
    session: Session,
    gift: Gift,
    *,
    recipient: str,
    creator_id: str,
    tier_id: str,
    months: int | None = None,
    days: int | None = None,
) -> None:
    """Refuse a key that came before, with a gift of something else, or for somebody else.

    Args:
        recipient: handle.

    Raises:
        Conflict: `idempotency_key_reused`.
    """
    recipient_id = session.scalar(select(User.id).where(User.handle == recipient.lower()))
    asked = (recipient_id, creator_id, tier_id, months, days)
    if asked != (gift.recipient_id, gift.creator_id, gift.tier_id, gift.months, gift.days):
        raise Conflict(
            "The same Idempotency-Key came with another gift.", code="idempotency_key_reused"
        )


def _recipient(session: Session, handle: str, *, giver_id: str, tier: Tier) -> User:
    recipient = session.scalar(
        select(User).where(
            User.handle == handle.lower(), User.deleted_at.is_(None), User.suspended_at.is_(None)
        )
    )
    if recipient is not None and recipient.id in (giver_id, tier.creator_id):
        raise Invalid("Give it to somebody else.", code="gift_to_oneself")
    if recipient is None or _blocked(session, recipient.id, [giver_id, tier.creator_id]):
        raise Invalid("There is nobody of that handle.", code="recipient_unknown")
    return recipient


def _blocked(session: Session, recipient_id: str, others: list[str]) -> bool:
    either = select(Block.blocker_id).where(
        or_(
            (Block.blocker_id == recipient_id) & Block.blocked_id.in_(others),
            Block.blocker_id.in_(others) & (Block.blocked_id == recipient_id),
        )
    )
    return session.scalar(either.limit(1)) is not None


async def own_gift(session: AsyncSession, *, giver_id: str, gift_id: str) -> Gift | None:
    """A gift that somebody bought."""
    return await session.scalar(
        select(Gift)
        .where(Gift.id == gift_id, Gift.giver_id == giver_id, Gift.kind == GiftKind.BOUGHT)
        .execution_options(populate_existing=True)
    )


@dataclass(frozen=True, slots=True)
class ListedGift:
    """A gift that was given, and who is on its other side."""

    person: Person
    id: str
    creator_id: str
    tier_id: str
    note: str
    state: GiftState
    starts_at: datetime
    expires_at: datetime
    given_at: datetime


async def list_received(
    reads: ReadPool, *, caller: Caller, after: Keyset | None, limit: int
) -> tuple[list[ListedGift], Keyset | None]:
    """What the caller was given, the newest first, and where the page ended."""
    page = await fetch_own_page(reads, _RECEIVED, caller=caller, after=after, limit=limit)
    return [_from(row) for row in page.rows], page.last


async def list_compliments(
    reads: ReadPool, *, caller: Caller, after: Keyset | None, limit: int
) -> tuple[list[ListedGift], Keyset | None]:
    """What the caller gave for nothing, the newest first, and where the page ended."""
    page = await fetch_own_page(reads, _COMPLIMENTS, caller=caller, after=after, limit=limit)
    return [_from(row) for row in page.rows], page.last


def _from(row: Row) -> ListedGift:
    gift_id, creator_id, tier_id, note, state, *times = row[PERSON_WIDTH:]
    return ListedGift(
        person_from(row[:PERSON_WIDTH]),
        gift_id,
        creator_id,
        tier_id,
        note,
        GiftState(state),
        *times,
    )
