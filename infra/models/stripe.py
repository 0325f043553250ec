"""Orders sent to Stripe, and what it sends by itself."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index, LargeBinary, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.stripe_calls import CallState
from domain.stripe_events import EventState, ParkedBecause
from infra.models.base import Base, CreatedAt, Moment, one_of


class StripeCall(Base):
    """An order to Stripe, written down before it is sent. Its key is never used for another."""

    __tablename__ = "stripe_calls"
    __table_args__ = (
        CheckConstraint(one_of("state", CallState), name="state"),
        CheckConstraint("generation >= 1 AND attempts >= 0", name="counted_from_one"),
        CheckConstraint("last_sent_at >= first_sent_at", name="sent_in_order"),
        Index("ix_stripe_calls_op_id", "op_id"),
        Index(
            "ix_stripe_calls_unsettled",
            "wall_sent_at",
            postgresql_where=text("state IN ('intent', 'unknown')"),
        ),
    )

    key: Mapped[str] = mapped_column(primary_key=True)
    generation: Mapped[int] = mapped_column(SmallInteger, server_default=text("1"))
    """Raised where it is certain that the one before did nothing; makes the key that is sent."""
    request_hash: Mapped[bytes] = mapped_column(LargeBinary)
    """SHA-256 of account, path and parameters."""
    account: Mapped[str | None]
    """The connected account that the order is given on behalf of; null: the platform."""
    path: Mapped[str]
    state: Mapped[str]
    op_id: Mapped[str]
    object_id: Mapped[str | None]
    """Of the object that it made, or that it was about."""
    error_code: Mapped[str | None]
    """Of the last answer that was an error."""
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    first_sent_at: Mapped[Moment]
    """Of this generation, by the time that orders carry."""
    last_sent_at: Mapped[Moment]
    wall_sent_at: Mapped[CreatedAt]
    """When this generation was first sent, by the database's clock: an order that is repeated
    for a day carries the same time all the day."""
    workflow_id: Mapped[str | None]


class StripeEvent(Base):
    """The inbox of what Stripe sends by itself: each event once, by its id."""

    __tablename__ = "stripe_events"
    __table_args__ = (
        CheckConstraint(one_of("state", EventState), name="state"),
        CheckConstraint(f"reason IS NULL OR {one_of('reason', ParkedBecause)}", name="reason"),
        CheckConstraint("(state = 'parked') = (reason IS NOT NULL)", name="parked_has_a_reason"),
        CheckConstraint("(state = 'new') = (settled_at IS NULL)", name="settled_has_a_time"),
        Index("ix_stripe_events_created_at", "created_at"),
        Index("ix_stripe_events_object_id", "object_id"),
        Index(
            "ix_stripe_events_unsettled",
            "received_at",
            postgresql_where=text("state IN ('new', 'parked')"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    """`evt_…`"""
    type: Mapped[str]
    account: Mapped[str | None]
    """The connected account it happened on; null: the platform's own."""
    object_id: Mapped[str]
    object_type: Mapped[str]
    op_id: Mapped[str | None]
    op_kind: Mapped[str | None]
    workflow_id: Mapped[str | None]
    """What the object's metadata say of who made it."""
    created_at: Mapped[Moment]
    """By Stripe."""
    received_at: Mapped[Moment]
    was_polled: Mapped[bool] = mapped_column(server_default=text("false"))
    """Found by the sweep, since its delivery had not come."""
    state: Mapped[str]
    reason: Mapped[str | None]
    settled_at: Mapped[Moment | None]
    """When it came to its state."""
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    """How often it was tried to tell its owner."""
    owner_workflow_id: Mapped[str | None]


class StripePoll(Base):
    """Up to when the events of an account have been polled."""

    __tablename__ = "stripe_polls"

    account: Mapped[str] = mapped_column(primary_key=True)
    """Empty: the platform's own."""
    polled_until: Mapped[Moment]
