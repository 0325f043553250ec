"""What the schedule asks for: no subscription without a run, no price that rises untold."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import TypeAlias

import structlog
from sqlalchemy import Engine, Select, or_, select, union
from temporalio.client import Client

from activities.errors import typed_failures
from domain.money import Money
from domain.subscriptions.events import EventKind
from domain.subscriptions.notices import Notice
from domain.subscriptions.rules import Rules
from domain.subscriptions.states import SubscriptionState
from infra.db import transaction
from infra.models import Subscription, Tier, User
from infra.queries.subscriptions.mails import in_words, tell_fan
from infra.queries.subscriptions.prices import tell_of_rise
from infra.queries.subscriptions.rows import lock_subscription, note, state_of
from workflows.declarations import implements
from workflows.subscriptions import steps
from workflows.subscriptions.messages import (
    SubscriptionOrder,
    SubscriptionSweepOrder,
    SubscriptionSweepReport,
)
from workflows.subscriptions.start import tend_keeping

log = structlog.get_logger(__name__)

BATCH = 200
LATE_AFTER = timedelta(minutes=15)
"""A run that lives has come by then."""
UNBEGUN_AFTER = timedelta(minutes=1)
"""The API has begun a run by then, if it could; the fan looks at their screen."""
_FINAL = (SubscriptionState.CANCELED, SubscriptionState.EXPIRED)

Found: TypeAlias = Select[str, str, datetime | None]
_FOUND: Found = select(Subscription.id, Subscription.creator_id, Subscription.wake_at)


class SubscriptionSweep:
    def __init__(
        self,
        engine: Engine,
        temporal: Client,
        *,
        queue_prefix: str,
        rules: Rules,
        batch: int = BATCH,
    ) -> None:
        self._engine = engine
        self._temporal = temporal
        self._queue_prefix = queue_prefix
        self._rules = rules
        self._batch = batch

    @implements(steps.sweep_subscriptions)
    async def sweep_subscriptions(self, order: SubscriptionSweepOrder) -> SubscriptionSweepReport:
        with typed_failures():
            tended = 0
            for late in await asyncio.to_thread(self.late, order.at):
                await tend_keeping(self._temporal, late, queue_prefix=self._queue_prefix)
                tended += 1
            told = await asyncio.to_thread(self.tell_of_prices, order.at)
            report = SubscriptionSweepReport(tended_runs=tended, told_of_prices=told)
        log.info("subscriptions_swept", **vars(report))
        return report

    def tell_of_prices(self, at: datetime) -> int:
        """Mail a batch of fans whose tier costs more than they pay; how many were told."""
        return sum(self._tell(each, at) for each in self._untold())

    def late(self, at: datetime) -> list[SubscriptionOrder]:
        """Those whose time came and went, or that nobody has ever looked at; and those of an
        account that was shut, which have to end."""
        ways = (*_overdue(at), *_of_shut_accounts())
        found = union(*(each.limit(self._batch).subquery().select() for each in ways)).subquery()
        with transaction(self._engine) as session:
            rows = session.execute(
                select(found.c.id, found.c.creator_id)
                .order_by(found.c.wake_at.nulls_first())
                .limit(self._batch)
            )
            return [SubscriptionOrder(each, creator_id) for each, creator_id in rows]

    def _untold(self) -> list[str]:
        with transaction(self._engine) as session:
            found = session.scalars(
                select(Subscription.id)
                .join(Tier, Tier.id == Subscription.tier_id)
                .where(
                    Subscription.state.not_in(_FINAL),
                    Subscription.next_tier_id.is_(None),
                    Tier.price_minor > Subscription.price_minor,
                    Subscription.told_price_minor.is_distinct_from(Tier.price_minor),
                )
                .order_by(Subscription.id)
                .limit(self._batch)
            )
            return list(found)

    def _tell(self, subscription_id: str, at: datetime) -> bool:
        with transaction(self._engine) as session:
            subscription = lock_subscription(session, subscription_id)
            old = subscription.price_minor
            new = None
            if not state_of(subscription).is_final:
                new = tell_of_rise(session, subscription, at)
            if new is None:
                return False
            currency = subscription.currency
            note(subscription, EventKind.PRICE_RISE_TOLD, at, price_minor=new, currency=currency)
            facts = {
                "price": Money(old, currency).formatted,
                "new_price": Money(new, currency).formatted,
                "from": in_words(at + self._rules.price_notice),
            }
            tell_fan(session, subscription, Notice.PRICE_RISES, **facts)
            return True


def _overdue(at: datetime) -> tuple[Found, ...]:
    """A way for each index: one statement with all their conditions could use none of them, and
    would read every subscription that there is."""
    is_open = Subscription.state.not_in(_FINAL)
    is_charged = Subscription.state.in_(_FINAL) & Subscription.charge_id.is_not(None)
    passed = Subscription.wake_at < at - LATE_AFTER
    never_looked_at = Subscription.wake_at.is_(None) & (
        Subscription.created_at < at - UNBEGUN_AFTER
    )
    return tuple(
        _FOUND.where(whose, why).order_by(Subscription.wake_at)
        for whose in (is_open, is_charged)
        for why in (passed, never_looked_at)
    )


def _of_shut_accounts() -> tuple[Found, ...]:
    shut = select(User.id).where(or_(User.suspended_at.is_not(None), User.deleted_at.is_not(None)))
    return tuple(
        _FOUND.where(Subscription.state.not_in(_FINAL), whose.in_(shut))
        for whose in (Subscription.fan_id, Subscription.creator_id)
    )
