"""Refunds and disputes of charges, and the log of what fans opened of what they had paid for."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import String

from domain.disputes import Answer, DisputeState
from domain.refunds import RefundReason, RefundState, Requester
from infra.models.base import Base, Bytes64, CreatedAt, Id, Moment, one_of

_OPEN_DISPUTE = "closed_at IS NULL"


class Refund(Base):
    """Written by `infra.queries.refunds` only."""

    __tablename__ = "refunds"
    __table_args__ = (
        CheckConstraint(one_of("state", RefundState), name="state"),
        CheckConstraint(one_of("reason", RefundReason), name="reason"),
        CheckConstraint(one_of("requested_as", Requester), name="requested_as"),
        CheckConstraint("amount_minor > 0", name="amount_minor"),
        CheckConstraint(
            "(requested_as IN ('staff', 'creator')) = (requested_by IS NOT NULL)",
            name="person_is_named",
        ),
        CheckConstraint(
            "state NOT IN ('pending', 'succeeded') "
            "OR (stripe_refund_id IS NOT NULL AND posted_at IS NOT NULL)",
            name="made_is_known_to_stripe",
        ),
        CheckConstraint(
            "(state IN ('failed', 'refused')) = (closed_at IS NOT NULL)", name="closed_has_a_time"
        ),
        CheckConstraint(
            "state <> 'refused' OR (refused_code IS NOT NULL AND posted_at IS NULL)",
            name="refused_took_nothing",
        ),
        UniqueConstraint("stripe_refund_id"),
        Index("ix_refunds_charge_id", "charge_id"),
        Index("ix_refunds_created_at_id", "created_at", "id"),
        Index("ix_refunds_unanswered", "created_at", postgresql_where=text("state = 'requested'")),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    charge_id: Mapped[Id] = mapped_column(ForeignKey("charges.id"))
    amount_minor: Mapped[Bytes64]
    currency: Mapped[str] = mapped_column(String(3))
    """The charge's."""
    reason: Mapped[str]
    note: Mapped[str] = mapped_column(server_default="")
    """Of whoever asked for it; the fan does not see it."""
    requested_as: Mapped[str]
    requested_by: Mapped[Id | None] = mapped_column(ForeignKey("users.id"))
    state: Mapped[str]
    stripe_refund_id: Mapped[str | None]
    refused_code: Mapped[str | None]
    """Why Stripe did not begin it; its own code."""
    failure_reason: Mapped[str | None]
    """Why the bank sent it back; Stripe's word."""
    tax_reversal_id: Mapped[str | None]
    """With which Stripe reports that its tax went back."""
    created_at: Mapped[CreatedAt]
    posted_at: Mapped[Moment | None]
    """When the ledger was told that the money has gone."""
    closed_at: Mapped[Moment | None]


class Dispute(Base):
    """As Stripe tells it, and what was decided about it. Written by `infra.queries.disputes`
    only."""

    __tablename__ = "disputes"
    __table_args__ = (
        CheckConstraint(one_of("state", DisputeState), name="state"),
        CheckConstraint(f"answer IS NULL OR {one_of('answer', Answer)}", name="answer"),
        CheckConstraint("amount_minor > 0", name="amount_minor"),
        CheckConstraint("fee_minor >= 0", name="fee_minor"),
        CheckConstraint(
            "(state IN ('won', 'lost', 'warning_closed', 'prevented')) = (closed_at IS NOT NULL)",
            name="closed_has_a_time",
        ),
        CheckConstraint(
            "state NOT IN ('won', 'lost') OR held_at IS NOT NULL", name="decided_was_held"
        ),
        CheckConstraint("NOT is_inquiry OR held_at IS NULL", name="inquiry_holds_nothing"),
        CheckConstraint("(answer IS NULL) = (answered_at IS NULL)", name="answer_has_a_time"),
        UniqueConstraint("stripe_dispute_id"),
        Index("ix_disputes_charge_id", "charge_id"),
        Index("ix_disputes_opened_at_id", "opened_at", "id"),
        Index("ix_disputes_open", "opened_at", "id", postgresql_where=text(_OPEN_DISPUTE)),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    """Made from Stripe's."""
    stripe_dispute_id: Mapped[str]
    charge_id: Mapped[Id] = mapped_column(ForeignKey("charges.id"))
    amount_minor: Mapped[Bytes64]
    currency: Mapped[str] = mapped_column(String(3))
    fee_minor: Mapped[Bytes64] = mapped_column(server_default=text("0"))
    """What Stripe keeps for it, as far as it was posted."""
    state: Mapped[str]
    is_inquiry: Mapped[bool]
    """It never took money; false for good once it has become a chargeback."""
    reason: Mapped[str]
    """The fan's, in Stripe's word."""
    opened_at: Mapped[Moment]
    evidence_due_by: Mapped[Moment | None]
    evidence: Mapped[dict[str, str] | None] = mapped_column(JSONB)
    """As it is, or was, submitted; put together once."""
    evidence_submitted_at: Mapped[Moment | None]
    answer: Mapped[str | None]
    """What was decided; null: nothing yet."""
    answered_by: Mapped[str | None]
    """A handle; null: by the setting."""
    answered_at: Mapped[Moment | None]
    held_at: Mapped[Moment | None]
    """When the ledger was told that Stripe took the money."""
    tax_reversal_id: Mapped[str | None]
    """With which Stripe reports that the tax of what was lost went back."""
    closed_at: Mapped[Moment | None]
    created_at: Mapped[CreatedAt]


class AccessedItem(StrEnum):
    POST = "post"
    MESSAGE = "message"
    MEDIA = "media"


class AccessEntry(Base):
    """A fan opened something they had paid for; one row an hour at most. For disputes only."""

    __tablename__ = "access_log"
    __table_args__ = (
        CheckConstraint(one_of("item_type", AccessedItem), name="item_type"),
        CheckConstraint("hour <= at AND at < hour + interval '1 hour'", name="hour"),
        Index("ix_access_log_fan_id_creator_id_at", "fan_id", "creator_id", "at"),
        Index("ix_access_log_at", "at"),
    )

    fan_id: Mapped[Id] = mapped_column(ForeignKey("users.id"), primary_key=True)
    item_type: Mapped[str] = mapped_column(primary_key=True)
    item_id: Mapped[Id] = mapped_column(primary_key=True)
    hour: Mapped[Moment] = mapped_column(primary_key=True)
    creator_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    at: Mapped[Moment]
    """The first time in this hour."""
    address: Mapped[str | None]
    """IPv4 or IPv6."""
    agent: Mapped[str]
