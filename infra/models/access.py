"""Rights: who may see what, since when, until when. And the tiers that a right can be of."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import String

from domain.access import GrantSource
from infra.models.base import Base, Bytes64, CreatedAt, Id, Moment, one_of


class Tier(Base):
    """A level of subscription of one creator; a higher `rank` holds all that a lower one does."""

    __tablename__ = "tiers"
    __table_args__ = (
        CheckConstraint("rank > 0", name="rank"),
        CheckConstraint("price_minor >= 0", name="price_minor"),
        Index(
            "uq_tiers_creator_id_rank",
            "creator_id",
            "rank",
            unique=True,
            postgresql_where=text("archived_at IS NULL"),
        ),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    creator_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str]
    rank: Mapped[int]
    price_minor: Mapped[Bytes64]
    currency: Mapped[str] = mapped_column(String(3))
    created_at: Mapped[CreatedAt]
    archived_at: Mapped[Moment | None]


class Entitlement(Base):
    """A right of a fan on one media, on one post, or (both null) on what a subscription opens."""

    __tablename__ = "entitlements"
    __table_args__ = (
        CheckConstraint(one_of("source", GrantSource), name="source"),
        CheckConstraint("media_id IS NULL OR post_id IS NULL", name="one_subject"),
        CheckConstraint(
            "tier_id IS NULL OR (media_id IS NULL AND post_id IS NULL)", name="tier_is_for_all"
        ),
        Index(
            "ix_entitlements_fan_id_creator_id_media_id_post_id",
            *("fan_id", "creator_id", "media_id", "post_id"),
            postgresql_include=["source", "tier_id", "starts_at", "expires_at", "revoked_at"],
        ),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    fan_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    creator_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    media_id: Mapped[Id | None] = mapped_column(ForeignKey("media.id"))
    post_id: Mapped[Id | None] = mapped_column(ForeignKey("posts.id"))
    tier_id: Mapped[Id | None] = mapped_column(ForeignKey("tiers.id"))
    """Of a subscription; null: the lowest there is."""
    source: Mapped[str]
    starts_at: Mapped[CreatedAt]
    expires_at: Mapped[Moment | None]
    revoked_at: Mapped[Moment | None]
    created_at: Mapped[CreatedAt]
