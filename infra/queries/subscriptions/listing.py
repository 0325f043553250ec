"""Subscriptions as their fans and creators read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.access import Caller
from domain.errors import NotFound
from domain.paging import Keyset
from domain.subscriptions.states import SubscriptionState
from infra.models import Charge, Subscription, SubscriptionEvent, User
from infra.queries.own_pages import ME, fetch_own_page, own_page
from infra.queries.people import PERSON, PERSON_WIDTH, Person, person_from
from infra.reads import ReadPool, Row

_COLUMNS = """s.id::text, s.state, s.tier_id::text, s.price_minor, s.currency, s.months,
    s.period_end, s.end_reason, s.ended_at, s.created_at"""
_MINE = own_page(
    f"{PERSON}, {_COLUMNS}",
    f"subscriptions s JOIN users u ON u.id = s.creator_id WHERE s.fan_id = {ME}",
    at="s.created_at",
    key="s.id",
)
_SUBSCRIBERS = own_page(
    f"{PERSON}, {_COLUMNS}",
    f"""subscriptions s JOIN users u ON u.id = s.fan_id
    WHERE s.creator_id = {ME} AND s.state <> 'incomplete'
      AND s.end_reason IS DISTINCT FROM 'never_paid'""",
    at="s.created_at",
    key="s.id",
)


@dataclass(frozen=True, slots=True)
class ListedSubscription:
    """A subscription and who is on its other side. Times in UTC, amounts in minor units."""

    person: Person
    id: str
    state: SubscriptionState
    tier_id: str
    price_minor: int
    currency: str
    months: int
    period_end: datetime | None
    end_reason: str | None
    ended_at: datetime | None
    created_at: datetime


async def list_mine(
    reads: ReadPool, *, caller: Caller, after: Keyset | None, limit: int
) -> tuple[list[ListedSubscription], Keyset | None]:
    """The caller's, the newest first, those that are over among them; and where the page ended."""
    page = await fetch_own_page(reads, _MINE, caller=caller, after=after, limit=limit)
    return [_from(row) for row in page.rows], page.last


async def list_subscribers(
    reads: ReadPool, *, caller: Caller, after: Keyset | None, limit: int
) -> tuple[list[ListedSubscription], Keyset | None]:
    """Who subscribes to the caller or did, the newest first; and where the page ended."""
    page = await fetch_own_page(reads, _SUBSCRIBERS, caller=caller, after=after, limit=limit)
    return [_from(row) for row in page.rows], page.last


def _from(row: Row) -> ListedSubscription:
    subscription_id, state, *rest = row[PERSON_WIDTH:]
    return ListedSubscription(
        person_from(row[:PERSON_WIDTH]), subscription_id, SubscriptionState(state), *rest
    )


@dataclass(frozen=True, slots=True)
class OwnSubscription:
    """One of a fan's, with what has happened and the last try to charge."""

    row: Subscription
    creator_handle: str
    events: Sequence[SubscriptionEvent]
    charge: Charge | None


async def own_subscription(
    session: AsyncSession, *, fan_id: str, subscription_id: str
) -> OwnSubscription:
    """A subscription that the fan holds or held.

    Raises:
        NotFound: `subscription_not_found`.
    """
    row = await session.scalar(
        select(Subscription)
        .where(Subscription.id == subscription_id, Subscription.fan_id == fan_id)
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise NotFound("There is no such subscription.", code="subscription_not_found")
    events = await session.scalars(
        select(SubscriptionEvent)
        .where(SubscriptionEvent.subscription_id == row.id)
        .order_by(SubscriptionEvent.seq)
    )
    charge = await session.scalar(
        select(Charge)
        .where(Charge.subject_id == row.id)
        .order_by(Charge.created_at.desc(), Charge.generation.desc())
        .limit(1)
    )
    creator = await session.get_one(User, row.creator_id)
    return OwnSubscription(row, creator.handle, events.all(), charge)
