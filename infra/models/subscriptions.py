"""Subscriptions, what has happened to them, trials that were used up, and gifts."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import String

from domain.subscriptions.events import EventKind
from domain.subscriptions.gifts import GiftKind, GiftState
from domain.subscriptions.states import EndReason, SubscriptionState
from infra.models.base import Base, Bytes64, CreatedAt, Id, Moment, one_of

_LIVE = "state NOT IN ('canceled', 'expired')"


class Subscription(Base):
    """How one stands. Its run only asks this row what to do next and when."""

    __tablename__ = "subscriptions"
    __table_args__ = (
        CheckConstraint(one_of("state", SubscriptionState), name="state"),
        CheckConstraint(
            f"end_reason IS NULL OR {one_of('end_reason', EndReason)}", name="end_reason"
        ),
        CheckConstraint(
            "(state IN ('canceled', 'expired')) = (ended_at IS NOT NULL) "
            "AND (ended_at IS NULL) = (end_reason IS NULL)",
            name="ended_has_a_reason",
        ),
        CheckConstraint("fan_id <> creator_id", name="not_to_oneself"),
        CheckConstraint("price_minor >= 0 AND months > 0", name="terms"),
        CheckConstraint(
            "state NOT IN ('trialing', 'active', 'canceling') "
            "OR (period_start IS NOT NULL AND period_end > period_start)",
            name="running_has_a_period",
        ),
        CheckConstraint("state <> 'paused' OR resume_at IS NOT NULL", name="paused_goes_on"),
        CheckConstraint(
            "num_nulls(next_tier_id, next_price_minor, next_bundle_bps) IN (0, 3) AND num_nulls("
            "upgrade_tier_id, upgrade_price_minor, upgrade_bundle_bps, upgrade_cost_minor) "
            "IN (0, 4)",
            name="changes_have_prices",
        ),
        CheckConstraint("num_nulls(told_price_minor, told_at) IN (0, 2)", name="told_once"),
        CheckConstraint(
            "num_nulls(promo_code_id, promo_kind, promo_value, promo_duration) IN (0, 4)",
            name="promo_is_whole",
        ),
        # Two taps, two devices, two tiers: one subscription to a creator.
        Index(
            "uq_subscriptions_live",
            "fan_id",
            "creator_id",
            unique=True,
            postgresql_where=text(_LIVE),
        ),
        Index("ix_subscriptions_fan_id_created_at_id", "fan_id", "created_at", "id"),
        Index("ix_subscriptions_creator_id_created_at_id", "creator_id", "created_at", "id"),
        Index("ix_subscriptions_tier_id_live", "tier_id", postgresql_where=text(_LIVE)),
        Index(
            "ix_subscriptions_next_tier_id",
            "next_tier_id",
            postgresql_where=text("next_tier_id IS NOT NULL"),
        ),
        Index(
            "ix_subscriptions_upgrade_tier_id",
            "upgrade_tier_id",
            postgresql_where=text("upgrade_tier_id IS NOT NULL"),
        ),
        Index("ix_subscriptions_wake_at", "wake_at", postgresql_where=text(_LIVE)),
        Index(
            "ix_subscriptions_charged_too_late",
            "wake_at",
            postgresql_where=text("charge_id IS NOT NULL AND state IN ('canceled', 'expired')"),
        ),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    fan_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    creator_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    state: Mapped[str]
    version: Mapped[int] = mapped_column(server_default=text("1"))
    """Counts changes; each has the event of that number."""

    tier_id: Mapped[Id] = mapped_column(ForeignKey("tiers.id"))
    price_minor: Mapped[Bytes64]
    """Of the tier, a month, before any discount: as it stood when the fan agreed to it."""
    currency: Mapped[str] = mapped_column(String(3))
    months: Mapped[int]
    """Of each period: 1, or those of a bundle."""
    bundle_bps: Mapped[int] = mapped_column(server_default=text("0"))
    """Off each period, for its length."""
    promo_code_id: Mapped[Id | None]
    promo_kind: Mapped[str | None]
    promo_value: Mapped[int | None]
    promo_duration: Mapped[str | None]
    promo_months: Mapped[int | None]
    """What the code takes off, as it was when it was redeemed (`domain/subscriptions/promos`)."""

    trial_days: Mapped[int | None]
    """With which it begins, where it does."""
    trial_notice_at: Mapped[Moment | None]
    """When to tell that the trial ends; null once that is done."""
    anchor_at: Mapped[Moment | None]
    """From which the periods are counted, so that the 31st comes back after a short month."""
    anchor_months: Mapped[int] = mapped_column(server_default=text("0"))
    """Of the periods since then, the one that runs among them."""
    months_begun: Mapped[int] = mapped_column(server_default=text("0"))
    """Of all periods that were paid."""
    period_index: Mapped[int] = mapped_column(server_default=text("0"))
    """Number of the last period that was begun and paid; a trial is none."""
    period_start: Mapped[Moment | None]
    period_end: Mapped[Moment | None]
    period_paid_minor: Mapped[Bytes64] = mapped_column(server_default=text("0"))
    """For the period that runs, with what an upgrade added."""

    payment_method_id: Mapped[str | None]
    """Stripe's; null where nothing was ever to be paid."""
    charge_id: Mapped[Id | None]
    """Of the payment that is under way."""
    charge_expires_at: Mapped[Moment | None]
    payment_asked_at: Mapped[Moment | None]
    """While past due: when the fan asked for another try."""
    declines: Mapped[int] = mapped_column(server_default=text("0"))
    """Of the next period's charges; the next try is the generation after them."""
    retries_done: Mapped[int] = mapped_column(server_default=text("0"))
    first_declined_at: Mapped[Moment | None]
    decline_code: Mapped[str | None]
    """Of the last try, until one goes through."""
    retry_at: Mapped[Moment | None]
    give_up_at: Mapped[Moment | None]

    next_tier_id: Mapped[Id | None] = mapped_column(ForeignKey("tiers.id"))
    """A change that comes with the next period."""
    next_price_minor: Mapped[Bytes64 | None]
    next_bundle_bps: Mapped[int | None]
    upgrade_tier_id: Mapped[Id | None] = mapped_column(ForeignKey("tiers.id"))
    """A change that is being paid."""
    upgrade_price_minor: Mapped[Bytes64 | None]
    upgrade_bundle_bps: Mapped[int | None]
    upgrade_cost_minor: Mapped[Bytes64 | None]
    """What the rest of the period costs more."""
    upgrades: Mapped[int] = mapped_column(server_default=text("0"))
    """Upgrades that were tried; numbers their charges."""
    told_price_minor: Mapped[Bytes64 | None]
    """A rise that the fan was mailed of, a month."""
    told_at: Mapped[Moment | None]
    agreed_price_minor: Mapped[Bytes64 | None]
    """The highest price, a month, that the fan has agreed to since."""

    resume_at: Mapped[Moment | None]
    """While active: a pause is planned, until then."""
    entitlement_id: Mapped[Id | None] = mapped_column(ForeignKey("entitlements.id"))
    """The right that it gives now, or gave last."""
    wake_at: Mapped[Moment | None]
    """When its run means to look next; one that is overdue has none."""
    end_reason: Mapped[str | None]
    ended_at: Mapped[Moment | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]


class SubscriptionEvent(Base):
    """What happened, for the fan and the creator to read; insert-only by a trigger."""

    __tablename__ = "subscription_events"
    __table_args__ = (CheckConstraint(one_of("kind", EventKind), name="kind"),)

    subscription_id: Mapped[Id] = mapped_column(ForeignKey("subscriptions.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    """The version that the subscription has with it."""
    kind: Mapped[str]
    at: Mapped[Moment]
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))


class TrialUse(Base):
    """Who has tried a creator's tiers, by account and by card: each once."""

    __tablename__ = "trial_uses"
    __table_args__ = (UniqueConstraint("creator_id", "fingerprint"),)

    creator_id: Mapped[Id] = mapped_column(ForeignKey("users.id"), primary_key=True)
    fan_id: Mapped[Id] = mapped_column(ForeignKey("users.id"), primary_key=True)
    fingerprint: Mapped[str]
    """Of the card's number: the same for every account that has it."""
    subscription_id: Mapped[Id] = mapped_column(ForeignKey("subscriptions.id"))
    used_at: Mapped[Moment]


class Gift(Base):
    """Access that one gives another: bought, or with the creator's compliments."""

    __tablename__ = "gifts"
    __table_args__ = (
        CheckConstraint(one_of("kind", GiftKind), name="kind"),
        CheckConstraint(one_of("state", GiftState), name="state"),
        CheckConstraint(
            "(kind = 'bought') = (payment_method_id IS NOT NULL) "
            "AND (kind = 'bought') = (price_minor > 0)",
            name="bought_is_paid",
        ),
        CheckConstraint("(kind = 'complimentary') = (giver_id = creator_id)", name="giver"),
        CheckConstraint("recipient_id <> creator_id", name="not_to_the_creator"),
        CheckConstraint(
            "state NOT IN ('given', 'taken_back') OR (given_at IS NOT NULL "
            "AND entitlement_id IS NOT NULL)",
            name="given_gives_access",
        ),
        CheckConstraint(
            "(state = 'taken_back') = (taken_back_at IS NOT NULL) "
            "AND (taken_back_at IS NULL) = (taken_back_reason IS NULL)",
            name="taken_back_has_a_reason",
        ),
        CheckConstraint("(months IS NULL) <> (days IS NULL)", name="duration"),
        Index("ix_gifts_giver_id_created_at_id", "giver_id", "created_at", "id"),
        Index("ix_gifts_recipient_id_created_at_id", "recipient_id", "created_at", "id"),
        Index(
            "ix_gifts_under_way",
            "created_at",
            postgresql_where=text("state IN ('charging', 'requires_action', 'processing')"),
        ),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    kind: Mapped[str]
    giver_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    recipient_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    creator_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    tier_id: Mapped[Id] = mapped_column(ForeignKey("tiers.id"))
    months: Mapped[int | None]
    """Of what is bought."""
    days: Mapped[int | None]
    """Of a creator's compliments."""
    price_minor: Mapped[Bytes64]
    currency: Mapped[str] = mapped_column(String(3))
    payment_method_id: Mapped[str | None]
    note: Mapped[str] = mapped_column(server_default="")
    """What its giver says with it."""
    state: Mapped[str]
    decline_code: Mapped[str | None]
    entitlement_id: Mapped[Id | None] = mapped_column(ForeignKey("entitlements.id"))
    created_at: Mapped[CreatedAt]
    given_at: Mapped[Moment | None]
    taken_back_at: Mapped[Moment | None]
    taken_back_reason: Mapped[str | None]
