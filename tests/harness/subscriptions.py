"""Subscriptions that live on a clock of the test's, with a Stripe of its own.

No workflow: what a run would do is done by hand, so that years pass in seconds, and a worker may
die after any step.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select
from temporalio.client import Client

from activities.charges.taking import ChargeTaker
from activities.subscriptions import SubscriptionActivities
from activities.subscriptions.sweeping import SubscriptionSweep
from domain.access import Grant, GrantSource
from domain.subscriptions.rules import Rules
from infra.db import transaction
from infra.ids import new_id
from infra.models import (
    Charge,
    Entitlement,
    Mail,
    PaymentMethod,
    PromoRedemption,
    Subscription,
    SubscriptionEvent,
    Tier,
    User,
)
from infra.queries.subscriptions.beginning import Beginning, begin_subscription
from infra.queries.tiers.buying import offered
from infra.queries.tiers.writing import lock_own_tier, set_bundle, set_price
from infra.settings import Settings
from infra.stripe.gateway import StripeGateway
from workflows.subscriptions.messages import (
    Change,
    ChangeKind,
    ChangeResult,
    SubscriptionLook,
    Tending,
)

DAY = timedelta(days=1)


@dataclass
class Keeper:
    """Does what subscriptions' runs do, at moments that the test says."""

    engine: Engine
    activities: SubscriptionActivities
    sweep: SubscriptionSweep
    now: datetime = datetime(2027, 1, 31, 12, tzinfo=UTC)
    looks: list[SubscriptionLook] = field(default_factory=list)

    def subscribe(
        self,
        fan: User,
        tier: Tier,
        *,
        card: PaymentMethod | None = None,
        code: str | None = None,
        months: int = 1,
    ) -> str:
        """Begin a subscription and take its first payment; returns its id."""
        subscription_id = self.begin(fan, tier, card=card, code=code, months=months)
        self.tend(subscription_id)
        return subscription_id

    def begin(
        self,
        fan: User,
        tier: Tier,
        *,
        card: PaymentMethod | None = None,
        code: str | None = None,
        months: int = 1,
    ) -> str:
        """The row alone, as the API writes it."""
        with transaction(self.engine) as session:
            terms = offered(
                session,
                creator_id=tier.creator_id,
                tier_id=tier.id,
                months=months,
                code=code,
                fan_id=fan.id,
                at=self.now,
                lock=True,
            )
            wish = Beginning(id=new_id(), fan_id=fan.id, offered=terms, card=card, at=self.now)
            return begin_subscription(session, wish).id

    def tend(self, subscription_id: str) -> SubscriptionLook:
        look = self.activities.tend_subscription(Tending(subscription_id, self.now))
        self.looks.append(look)
        return look

    def pass_time(self, subscription_id: str, duration: timedelta) -> SubscriptionLook:
        """Let time pass, and do whatever becomes due at its moment."""
        until = self.now + duration
        look = self.tend(subscription_id)
        while look.wake_at is not None and look.wake_at <= until:
            self.now = max(self.now, look.wake_at)
            look = self.tend(subscription_id)
        self.now = until
        return look

    def change(self, subscription_id: str, kind: ChangeKind, **wish: Any) -> ChangeResult:
        """Write a wish down, and do what follows from it."""
        written = self.activities.change_subscription(
            Change(subscription_id, kind, self.now, **wish)
        )
        if written.refusal is None:
            self.tend(subscription_id)
        return written

    def row(self, subscription_id: str) -> Subscription:
        with transaction(self.engine) as session:
            return session.get_one(Subscription, subscription_id)

    def charges(self, subscription_id: str) -> list[Charge]:
        """In the order of their tries."""
        with transaction(self.engine) as session:
            found = select(Charge).where(Charge.subject_id == subscription_id)
            return list(session.scalars(found.order_by(Charge.created_at, Charge.generation)))

    def events(self, subscription_id: str) -> list[str]:
        with transaction(self.engine) as session:
            found = select(SubscriptionEvent.kind).where(
                SubscriptionEvent.subscription_id == subscription_id
            )
            return list(session.scalars(found.order_by(SubscriptionEvent.seq)))

    def notices(self, user: User) -> list[str]:
        with transaction(self.engine) as session:
            found = select(Mail).where(Mail.user_id == user.id).order_by(Mail.created_at)
            return [str(mail.facts["notice"]) for mail in session.scalars(found)]

    def rights(self, fan: User) -> list[Entitlement]:
        with transaction(self.engine) as session:
            found = select(Entitlement).where(Entitlement.fan_id == fan.id)
            return list(session.scalars(found.order_by(Entitlement.starts_at)))

    def has_access(self, fan: User, *, at: datetime | None = None) -> bool:
        """Whether one of the fan's rights is live."""
        return any(
            Grant(
                GrantSource(right.source), right.starts_at, right.expires_at, right.revoked_at
            ).is_live(at or self.now)
            for right in self.rights(fan)
        )

    def redemptions(self, promo_id: str) -> list[str]:
        with transaction(self.engine) as session:
            found = select(PromoRedemption.state).where(PromoRedemption.promo_id == promo_id)
            return list(session.scalars(found))

    def set_price(self, tier: Tier, price_minor: int) -> None:
        """What the creator asks from now on."""
        with transaction(self.engine) as session:
            locked = lock_own_tier(session, tier.id, creator_id=tier.creator_id)
            set_price(session, locked, price_minor, at=self.now)

    def sell_bundle(self, tier: Tier, *, months: int, discount_bps: int) -> None:
        with transaction(self.engine) as session:
            locked = lock_own_tier(session, tier.id, creator_id=tier.creator_id)
            set_bundle(session, locked, months=months, discount_bps=discount_bps, at=self.now)

    def set(self, subscription_id: str, **columns: Any) -> None:
        with transaction(self.engine) as session:
            row = session.get_one(Subscription, subscription_id)
            for name, value in columns.items():
                setattr(row, name, value)


@pytest.fixture
def keeper(
    settings: Settings, engine: Engine, gateway: StripeGateway, temporal_client: Client
) -> Keeper:
    rules = Rules()
    sweep = SubscriptionSweep(
        engine, temporal_client, queue_prefix=settings.task_queue_prefix, rules=rules
    )
    taker = ChargeTaker(settings, engine, gateway)
    return Keeper(engine, SubscriptionActivities(engine, taker, sweep, rules), sweep)
