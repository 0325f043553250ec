"""Rights: who may see what, since when, until when."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from domain.access import GrantSource
from infra.models.base import Base, CreatedAt, Id, Moment, one_of


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
