"""Purchases of single items."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import String

from domain.unlocks.states import EndReason, UnlockState
from infra.models.base import Base, Bytes64, CreatedAt, Id, Moment, one_of


class Unlock(Base):
    __tablename__ = "unlocks"
    __table_args__ = (
        CheckConstraint(one_of("state", UnlockState), name="state"),
        CheckConstraint(
            f"ended_reason IS NULL OR {one_of('ended_reason', EndReason)}", name="ended_reason"
        ),
        CheckConstraint(
            "(state = 'ended') = (ended_at IS NOT NULL) "
            "AND (ended_at IS NULL) = (ended_reason IS NULL)",
            name="ended_has_a_reason",
        ),
        CheckConstraint("state <> 'unlocked' OR unlocked_at IS NOT NULL", name="unlocked_at"),
        CheckConstraint("generation > 0", name="generation"),
        CheckConstraint("discount_minor >= 0 AND discount_minor < list_minor", name="amounts"),
        CheckConstraint("num_nonnulls(post_id, message_id) = 1", name="one_item"),
        # Two devices of one fan, or two taps: one purchase.
        Index(
            "uq_unlocks_live",
            "fan_id",
            "post_id",
            unique=True,
            postgresql_where=text("state <> 'ended'"),
        ),
        Index(
            "uq_unlocks_live_message",
            "fan_id",
            "message_id",
            unique=True,
            postgresql_where=text("state <> 'ended'"),
        ),
        Index("ix_unlocks_post_id", "post_id"),
        Index(
            "ix_unlocks_message_id", "message_id", postgresql_where=text("message_id IS NOT NULL")
        ),
        Index("ix_unlocks_fan_id_created_at_id", "fan_id", "created_at", "id"),
        Index(
            "ix_unlocks_under_way",
            "quoted_at",
            postgresql_where=text("state IN ('charging', 'requires_action', 'processing')"),
        ),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    fan_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    creator_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    post_id: Mapped[Id | None] = mapped_column(ForeignKey("posts.id"))
    message_id: Mapped[Id | None] = mapped_column(ForeignKey("messages.id"))
    """One of both."""
    state: Mapped[str]
    list_minor: Mapped[Bytes64]
    """The price as it stood when it was quoted; the row keeps it whatever the creator edits."""
    discount_minor: Mapped[Bytes64] = mapped_column(server_default=text("0"))
    currency: Mapped[str] = mapped_column(String(3))
    generation: Mapped[int]
    """Which try of paying, from 1."""
    payment_method_id: Mapped[str]
    decline_code: Mapped[str | None]
    """Of the last try, where that was declined."""
    quoted_at: Mapped[Moment]
    """When the price of the last try was fixed."""
    created_at: Mapped[CreatedAt]
    unlocked_at: Mapped[Moment | None]
    ended_at: Mapped[Moment | None]
    ended_reason: Mapped[str | None]

    @property
    def item_id(self) -> str:
        """Of the post or the message."""
        item_id = self.post_id or self.message_id
        assert item_id is not None, "the table sees to it"
        return item_id

    @property
    def amount_minor(self) -> int:
        """What is charged."""
        return self.list_minor - self.discount_minor
