"""What creators sell: tiers, the prices they have had, bundles, and promo codes."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import String

from domain.subscriptions.promos import PromoAudience, PromoDuration, PromoKind, RedemptionState
from infra.models.base import Base, Bytes64, CreatedAt, Id, Moment, one_of


class Tier(Base):
    """A level of subscription of one creator; a higher `rank` holds all that a lower one does.

    An archived one is not for sale. It keeps its rank, and so what its subscribers may see.
    """

    __tablename__ = "tiers"
    __table_args__ = (
        CheckConstraint("rank > 0", name="rank"),
        CheckConstraint("price_minor >= 0", name="price_minor"),
        CheckConstraint("trial_days >= 0", name="trial_days"),
        CheckConstraint("subscriber_cap > 0", name="subscriber_cap"),
        Index(
            "uq_tiers_creator_id_rank",
            "creator_id",
            "rank",
            unique=True,
            postgresql_where=text("archived_at IS NULL"),
        ),
        Index("ix_tiers_creator_id_created_at_id", "creator_id", "created_at", "id"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    creator_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str]
    description: Mapped[str] = mapped_column(server_default=text("''"))
    benefits: Mapped[list[str]] = mapped_column(ARRAY(String), server_default=text("'{}'"))
    rank: Mapped[int]
    price_minor: Mapped[Bytes64]
    """A month, for who subscribes now; 0: free. Others follow `tier_prices`."""
    currency: Mapped[str] = mapped_column(String(3))
    trial_days: Mapped[int] = mapped_column(server_default=text("0"))
    is_visible: Mapped[bool] = mapped_column(server_default=text("true"))
    """Whether it is in the public list; who knows its id may subscribe anyway."""
    subscriber_cap: Mapped[int | None]
    """How many may be subscribed at a time; null: any number."""
    version: Mapped[int] = mapped_column(server_default=text("1"))
    """Counts edits; the ETag is made from it."""
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
    archived_at: Mapped[Moment | None]


class TierPriceChange(Base):
    """A price that a tier has had. Never changed, and never deleted."""

    __tablename__ = "tier_prices"
    __table_args__ = (
        CheckConstraint("price_minor >= 0", name="price_minor"),
        CheckConstraint("effective_at >= announced_at", name="effective_at"),
    )

    tier_id: Mapped[Id] = mapped_column(ForeignKey("tiers.id"), primary_key=True)
    announced_at: Mapped[Moment] = mapped_column(primary_key=True)
    """From when on new subscribers pay it."""
    price_minor: Mapped[Bytes64]
    effective_at: Mapped[Moment]
    """From which on it counts at renewals."""


class TierBundle(Base):
    """Several months at once, for less."""

    __tablename__ = "tier_bundles"
    __table_args__ = (
        CheckConstraint("months IN (3, 6, 12)", name="months"),
        CheckConstraint("discount_bps BETWEEN 1 AND 9999", name="discount_bps"),
        Index(
            "uq_tier_bundles_tier_id_months",
            "tier_id",
            "months",
            unique=True,
            postgresql_where=text("archived_at IS NULL"),
        ),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    tier_id: Mapped[Id] = mapped_column(ForeignKey("tiers.id"))
    months: Mapped[int]
    discount_bps: Mapped[int]
    created_at: Mapped[CreatedAt]
    archived_at: Mapped[Moment | None]


class PromoCode(Base):
    """What a code takes off, and whom it is for. Its lock serialises all redemptions."""

    __tablename__ = "promo_codes"
    __table_args__ = (
        CheckConstraint(one_of("kind", PromoKind), name="kind"),
        CheckConstraint(one_of("duration", PromoDuration), name="duration"),
        CheckConstraint(one_of("audience", PromoAudience), name="audience"),
        CheckConstraint("code = upper(code)", name="code"),
        CheckConstraint("value > 0", name="value"),
        CheckConstraint("(duration = 'months') = (months IS NOT NULL)", name="months"),
        CheckConstraint("per_fan_max > 0 AND max_redemptions > 0", name="caps"),
        # Whatever the code above does: no cap is passed.
        CheckConstraint(
            "redeemed_count >= 0 AND (redeemed_count <= max_redemptions) IS NOT FALSE",
            name="redeemed_count",
        ),
        CheckConstraint("expires_at > starts_at", name="expires_at"),
        Index(
            "uq_promo_codes_creator_id_code",
            "creator_id",
            "code",
            unique=True,
            postgresql_where=text("archived_at IS NULL"),
        ),
        Index("ix_promo_codes_creator_id_created_at_id", "creator_id", "created_at", "id"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    creator_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    code: Mapped[str]
    """In capitals; case does not matter to who types it."""
    kind: Mapped[str]
    value: Mapped[int]
    """Basis points, minor units of the creator's currency, or days, as `kind` says."""
    duration: Mapped[str]
    months: Mapped[int | None]
    tier_id: Mapped[Id | None] = mapped_column(ForeignKey("tiers.id"))
    """Null: every tier of the creator's."""
    audience: Mapped[str] = mapped_column(server_default=PromoAudience.EVERYONE.value)
    max_redemptions: Mapped[int | None]
    per_fan_max: Mapped[int] = mapped_column(server_default=text("1"))
    starts_at: Mapped[Moment | None]
    expires_at: Mapped[Moment | None]
    redeemed_count: Mapped[int] = mapped_column(server_default=text("0"))
    """Held and used."""
    version: Mapped[int] = mapped_column(server_default=text("1"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
    archived_at: Mapped[Moment | None]


class PromoRedemption(Base):
    """One subscription's use of a code."""

    __tablename__ = "promo_redemptions"
    __table_args__ = (
        CheckConstraint(one_of("state", RedemptionState), name="state"),
        Index("ix_promo_redemptions_promo_id_fan_id", "promo_id", "fan_id"),
    )

    subscription_id: Mapped[Id] = mapped_column(primary_key=True)
    """May be held before the subscription's row is there."""
    promo_id: Mapped[Id] = mapped_column(ForeignKey("promo_codes.id"))
    fan_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    state: Mapped[str]
    held_at: Mapped[Moment]
    settled_at: Mapped[Moment | None]
    """When it was used, or released."""
