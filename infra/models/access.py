"""Rights: who may see what, since when, until when."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from domain.access import GrantSource
from infra.models.base import Base, CreatedAt, Id, Moment, one_of


class Entitlement(Base):
    """A right of a fan on one media, one post or one message, or (all null) on what a subscription
    opens."""

    __tablename__ = "entitlements"
    __table_args__ = (
        CheckConstraint(one_of("source", GrantSource), name="source"),
        CheckConstraint("num_nonnulls(media_id, post_id, message_id) <= 1", name="one_subject"),
        CheckConstraint(
            "tier_id IS NULL OR num_nonnulls(media_id, post_id, message_id) = 0",
            name="tier_is_for_all",
        ),
        Index(
            "ix_entitlements_fan_id_creator_id_item",
            *("fan_id", "creator_id", "media_id", "post_id", "message_id"),
            postgresql_include=["source", "tier_id", "starts_at", "expires_at", "revoked_at"],
        ),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    fan_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    creator_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    media_id: Mapped[Id | None] = mapped_column(ForeignKey("media.id"))
    post_id: Mapped[Id | None] = mapped_column(ForeignKey("posts.id"))
    message_id: Mapped[Id | None] = mapped_column(ForeignKey("messages.id"))
    tier_id: Mapped[Id | None] = mapped_column(ForeignKey("tiers.id"))
    """Of a subscription; null: the lowest there is."""
    source: Mapped[str]
    starts_at: Mapped[CreatedAt]
    expires_at: Mapped[Moment | None]
    revoked_at: Mapped[Moment | None]
    created_at: Mapped[CreatedAt]
