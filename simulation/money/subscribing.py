"""Fans who subscribe, and what they wish of their subscriptions; creators who change prices."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import Conflict
from domain.subscriptions.gifts import UNDER_WAY, GiftState
from domain.subscriptions.states import SubscriptionState
from infra.db import async_transaction, transaction
from infra.models import Gift, Subscription, User
from infra.queries.gifts.giving import BoughtGift, begin_gift
from infra.queries.subscriptions.beginning import Beginning, begin_subscription
from infra.queries.tiers.buying import offered
from infra.queries.tiers.writing import lock_own_tier, price_history, set_price
from simulation.money.cards import card_of
from simulation.money.parts import Parts
from simulation.money.picks import PATIENCE, Act, Picks
from simulation.money.selling import BUNDLE_MONTHS, CODES
from workflows.charges.start import pay_now
from workflows.gifts.start import gift_order
from workflows.subscriptions.messages import (
    Cancel,
    ChangeTier,
    ConsentToPrice,
    Pause,
    SubscriptionOrder,
    UseNewCard,
)
from workflows.subscriptions.start import Wish, begin_now, change_now, confirm_now

LIVE = Subscription.state.not_in([each.value for each in SubscriptionState if each.is_final])
SOON = timedelta(hours=3)
"""What is due by then is looked at again all the time."""


async def subscribe(parts: Parts, picks: Picks) -> None:
    """A fan subscribes: for a month or several, some with a code. Who is subscribed already, or
    has used the code, has to be refused."""
    subscription_id = picks.row_id("subscription")
    async with async_transaction(parts.async_engine) as session:
        begun = await session.get(Subscription, subscription_id)
        if begun is None:
            begun = await _begin(session, parts, picks, subscription_id)
    if begun.state != SubscriptionState.INCOMPLETE:
        return  # It was sent before, and is answered from the row.
    await begin_now(
        parts.temporal.client,
        SubscriptionOrder(begun.id, begun.creator_id),
        queue_prefix=parts.queue_prefix,
        patience=PATIENCE,
    )


async def _begin(
    session: AsyncSession, parts: Parts, picks: Picks, subscription_id: str
) -> Subscription:
    fan_id = picks.of(parts.cast.fans, "fan")
    creator_id = picks.of(parts.cast.creators, "creator")
    choice = picks.number("choice")
    card = await card_of(session, fan_id, picks)
    terms = await session.run_sync(
        offered,
        creator_id=creator_id,
        tier_id=picks.of(parts.cast.tiers[creator_id], "thing"),
        months=BUNDLE_MONTHS if choice % 5 == 0 else 1,
        code=(*CODES, None, None, None)[choice // 5 % 5],
        fan_id=fan_id,
        at=parts.now,
        lock=True,
    )
    wish = Beginning(id=subscription_id, fan_id=fan_id, offered=terms, card=card, at=parts.now)
    return await session.run_sync(begin_subscription, wish)


Wanted = Callable[[Parts, Picks, Subscription], Awaitable[Wish]]


def _wishing(wanted: Wanted) -> Act:
    """The act of a fan who wishes something of one of the subscriptions that live."""

    async def act(parts: Parts, picks: Picks) -> None:
        with transaction(parts.engine) as session:
            living = session.scalars(
                select(Subscription).where(LIVE).order_by(Subscription.id)
            ).all()
        if not living:
            return
        subscription = picks.of(living, "thing")
        result = await change_now(
            parts.temporal.client,
            SubscriptionOrder(subscription.id, subscription.creator_id),
            await wanted(parts, picks, subscription),
            queue_prefix=parts.queue_prefix,
            patience=PATIENCE,
        )
        if result.refusal is not None:
            raise Conflict(result.refusal.message, code=result.refusal.code)

    return act


@_wishing
async def cancel(_parts: Parts, picks: Picks, _subscription: Subscription) -> Wish:
    return Cancel(now=picks.number("choice") % 4 == 0)


@_wishing
async def resume(_parts: Parts, _picks: Picks, _subscription: Subscription) -> Wish:
    return None


@_wishing
async def pause(parts: Parts, picks: Picks, subscription: Subscription) -> Wish:
    end = subscription.period_end or parts.now
    return Pause(end + timedelta(days=picks.number("choice") % 40))


@_wishing
async def change_tier(parts: Parts, picks: Picks, subscription: Subscription) -> Wish:
    return ChangeTier(picks.of(parts.cast.tiers[subscription.creator_id], "choice"))


@_wishing
async def use_card(parts: Parts, picks: Picks, subscription: Subscription) -> Wish:
    async with async_transaction(parts.async_engine) as session:
        return UseNewCard((await card_of(session, subscription.fan_id, picks)).id)


@_wishing
async def agree(_parts: Parts, _picks: Picks, subscription: Subscription) -> Wish:
    return ConsentToPrice(subscription.told_price_minor or subscription.price_minor)


async def say_confirmed(parts: Parts, picks: Picks) -> None:
    """A fan comes back from their bank's page, whatever they did there."""
    with transaction(parts.engine) as session:
        paying = session.execute(
            select(Subscription.id, Subscription.creator_id)
            .where(LIVE, Subscription.charge_id.is_not(None))
            .order_by(Subscription.id)
        ).all()
    if paying:
        subscription_id, creator_id = picks.of(paying, "thing")
        await confirm_now(
            parts.temporal.client,
            SubscriptionOrder(subscription_id, creator_id),
            queue_prefix=parts.queue_prefix,
            patience=PATIENCE,
        )


async def change_price(parts: Parts, picks: Picks) -> None:
    creator_id = picks.of(parts.cast.creators, "creator")
    tier_id = picks.of(parts.cast.tiers[creator_id], "thing")
    with transaction(parts.engine) as session:
        tier = lock_own_tier(session, tier_id, creator_id=creator_id)
        if price_history(session, tier_id)[-1].announced_at < parts.now:  # Time stands still here.
            set_price(session, tier, 400 + picks.number("choice"), at=parts.now)


async def give(parts: Parts, picks: Picks) -> None:
    """A fan buys another one, or tries to buy themselves, some months of a tier."""
    giver_id = picks.of(parts.cast.fans, "fan")
    creator_id = picks.of(parts.cast.creators, "creator")
    choice = picks.number("choice")
    async with async_transaction(parts.async_engine) as session:
        card = await card_of(session, giver_id, picks)
        recipient = await session.get_one(User, picks.of(parts.cast.fans, "choice"))
        terms = await session.run_sync(
            offered,
            creator_id=creator_id,
            tier_id=picks.of(parts.cast.tiers[creator_id], "thing"),
            months=BUNDLE_MONTHS if choice % 3 == 0 else 1,
            code=None,
            fan_id=None,
            at=parts.now,
        )
        bought = BoughtGift(
            id=picks.row_id("gift"),
            giver_id=giver_id,
            recipient=recipient.handle,
            offered=terms,
            note="",
            payment_method_id=card.id,
            at=parts.now,
        )
        gift = await session.get(Gift, bought.id)
        if gift is None:
            gift = await session.run_sync(begin_gift, bought)
    if GiftState(gift.state) not in UNDER_WAY:
        return  # It was sent before, and is over.
    order = gift_order(gift, at=parts.now)
    await pay_now(parts.temporal.client, order, queue_prefix=parts.queue_prefix, patience=PATIENCE)


def next_due(parts: Parts) -> datetime | None:
    """When the next period ends, a pause does, or what was declined is tried again."""
    with transaction(parts.engine) as session:
        return session.scalar(
            select(func.min(Subscription.wake_at)).where(
                LIVE, Subscription.wake_at > parts.now + SOON
            )
        )
