"""Tips."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import String

from domain.tips import TipState
from infra.models.base import Base, Bytes64, CreatedAt, Id, Moment, one_of


class Tip(Base):
    __tablename__ = "tips"
    __table_args__ = (
        CheckConstraint(one_of("state", TipState), name="state"),
        CheckConstraint("amount_minor > 0", name="amount_minor"),
        CheckConstraint("fan_id <> creator_id", name="not_to_oneself"),
        CheckConstraint("state <> 'sent' OR sent_at IS NOT NULL", name="sent_at"),
        CheckConstraint(
            "(state = 'taken_back') = (taken_back_at IS NOT NULL) "
            "AND (taken_back_at IS NULL) = (taken_back_reason IS NULL)",
            name="taken_back_has_a_reason",
        ),
        Index("ix_tips_fan_id_created_at_id", "fan_id", "created_at", "id"),
        Index(
            "ix_tips_creator_id_sent_at_id",
            "creator_id",
            "sent_at",
            "id",
            postgresql_where=text("sent_at IS NOT NULL"),
        ),
        Index("ix_tips_post_id", "post_id", postgresql_where=text("post_id IS NOT NULL")),
        Index(
            "ix_tips_under_way",
            "created_at",
            postgresql_where=text("state IN ('charging', 'requires_action', 'processing')"),
        ),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    fan_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    creator_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    post_id: Mapped[Id | None] = mapped_column(ForeignKey("posts.id"))
    """For which post, where it was given for one."""
    amount_minor: Mapped[Bytes64]
    currency: Mapped[str] = mapped_column(String(3))
    note: Mapped[str] = mapped_column(server_default="")
    """What the fan said with it; the creator reads it."""
    state: Mapped[str]
    payment_method_id: Mapped[str]
    decline_code: Mapped[str | None]
    created_at: Mapped[CreatedAt]
    sent_at: Mapped[Moment | None]
    taken_back_at: Mapped[Moment | None]
    taken_back_reason: Mapped[str | None]
