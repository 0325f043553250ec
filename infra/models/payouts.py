"""Payouts, their weekly batches, and the accounts at Stripe that they are paid to.

Written by `infra.queries.payouts` only. What a payout moves stands in the ledger.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import String

from domain.payouts.eligibility import Refusal
from domain.payouts.states import PREPARING, PayoutKind, PayoutState
from infra.models.base import Base, Bytes64, CreatedAt, Id, Moment, one_of


def _among(states: frozenset[PayoutState]) -> str:
    return "state IN (" + ", ".join(f"'{each}'" for each in PayoutState if each in states) + ")"


_FINAL = frozenset(state for state in PayoutState if state.is_final)
_OPEN = frozenset(PayoutState) - _FINAL


class ConnectedAccount(Base):
    """A creator's account at Stripe (Connect), as it was read last."""

    __tablename__ = "connected_accounts"

    creator_id: Mapped[Id] = mapped_column(ForeignKey("users.id"), primary_key=True)
    account_id: Mapped[str] = mapped_column(unique=True)
    """`acct_…`"""
    charges_enabled: Mapped[bool]
    payouts_enabled: Mapped[bool]
    transfers_enabled: Mapped[bool]
    """Whether it may be given money."""
    details_submitted: Mapped[bool]
    requirements_due: Mapped[list[str]] = mapped_column(ARRAY(String), server_default=text("'{}'"))
    """What Stripe asks for, by its own names."""
    disabled_reason: Mapped[str | None]
    country: Mapped[str | None] = mapped_column(String(2))
    default_currency: Mapped[str | None] = mapped_column(String(3))
    told_at: Mapped[Moment | None]
    """When its owner was mailed that it lacks something, as long as it does."""
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[Moment]


class PayoutBatch(Base):
    """One weekly round."""

    __tablename__ = "payout_batches"

    day: Mapped[date] = mapped_column(primary_key=True)
    started_at: Mapped[Moment]
    finished_at: Mapped[Moment | None]


class PayoutSkip(Base):
    """Why somebody with something available got no payout in a batch."""

    __tablename__ = "payout_skips"
    __table_args__ = (
        CheckConstraint(one_of("reason", Refusal), name="reason"),
        Index("ix_payout_skips_creator_id_batch_day", "creator_id", "batch_day"),
    )

    batch_day: Mapped[date] = mapped_column(ForeignKey("payout_batches.day"), primary_key=True)
    creator_id: Mapped[Id] = mapped_column(ForeignKey("users.id"), primary_key=True)
    currency: Mapped[str] = mapped_column(String(3), primary_key=True)
    reason: Mapped[str]
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))


class Payout(Base):
    """Money on its way from a creator's earnings to their bank."""

    __tablename__ = "payouts"
    __table_args__ = (
        CheckConstraint(one_of("state", PayoutState), name="state"),
        CheckConstraint(one_of("kind", PayoutKind), name="kind"),
        CheckConstraint("amount_minor > 0", name="amount_minor"),
        CheckConstraint(
            "state IN ('requested', 'released') OR (amount_minor IS NOT NULL "
            "AND account_id IS NOT NULL)",
            name="reserved_has_an_amount",
        ),
        CheckConstraint(
            "state NOT IN ('funded', 'submitting', 'in_transit', 'paid', 'returning', "
            "'needs_ops', 'settled', 'returned') OR transfer_id IS NOT NULL",
            name="funded_by_a_transfer",
        ),
        CheckConstraint(
            "state NOT IN ('in_transit', 'paid', 'settled') OR stripe_payout_id IS NOT NULL",
            name="known_to_stripe",
        ),
        CheckConstraint(
            "state NOT IN ('paid', 'settled') OR paid_at IS NOT NULL", name="paid_has_a_time"
        ),
        CheckConstraint("state <> 'returned' OR reversal_id IS NOT NULL", name="returned_for_real"),
        CheckConstraint(f"({_among(_FINAL)}) = (closed_at IS NOT NULL)", name="closed_has_a_time"),
        CheckConstraint(
            "state NOT IN ('released', 'returned') OR reason IS NOT NULL", name="says_why"
        ),
        Index(
            "uq_payouts_busy",
            *("creator_id", "currency"),
            unique=True,
            postgresql_where=text(_among(PREPARING)),
        ),
        Index("ix_payouts_creator_id_created_at_id", "creator_id", "created_at", "id"),
        Index(
            "ix_payouts_review",
            *("created_at", "id"),
            postgresql_where=text("state = 'review'"),
        ),
        Index("ix_payouts_open", "created_at", "id", postgresql_where=text(_among(_OPEN))),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    creator_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    kind: Mapped[str]
    batch_day: Mapped[date | None] = mapped_column(ForeignKey("payout_batches.day"))
    currency: Mapped[str] = mapped_column(String(3))
    amount_minor: Mapped[Bytes64 | None]
    """What was set aside for it; null until then."""
    state: Mapped[str]
    reason: Mapped[str | None]
    """Why it was released, returned, or needs a person: a code."""
    review_reasons: Mapped[list[str]] = mapped_column(ARRAY(String), server_default=text("'{}'"))
    decided_by: Mapped[str | None]
    """Who of the staff let it go, or did not."""
    decided_at: Mapped[Moment | None]
    decision_note: Mapped[str | None]
    attention_step: Mapped[str | None]
    """Which step waits for an operator, and why."""
    attention_reason: Mapped[str | None]
    account_id: Mapped[str | None]
    """`acct_…`, as it was when the payout was reserved."""
    transfer_id: Mapped[str | None] = mapped_column(unique=True)
    stripe_payout_id: Mapped[str | None] = mapped_column(unique=True)
    reversal_id: Mapped[str | None] = mapped_column(unique=True)
    arrival_at: Mapped[Moment | None]
    """When Stripe expects it at the bank."""
    created_at: Mapped[CreatedAt]
    reserved_at: Mapped[Moment | None]
    sent_at: Mapped[Moment | None]
    """When Stripe took the payout."""
    paid_at: Mapped[Moment | None]
    closed_at: Mapped[Moment | None]
    updated_at: Mapped[Moment]
