"""What each comparison of the ledger with Stripe has found."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from infra.models.base import Base, Id, Moment


class Reconciliation(Base):
    """Written by `infra.reconcile` only."""

    __tablename__ = "reconciliations"
    __table_args__ = (
        CheckConstraint("window_start < window_end", name="window"),
        CheckConstraint("breaks_found >= 0 AND sources_checked >= 0", name="counts"),
        Index("ix_reconciliations_ended_at_id", "ended_at", "id"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    window_start: Mapped[Moment]
    """Of the balance transactions that were read; the ledger's own rules are of the whole."""
    window_end: Mapped[Moment]
    started_at: Mapped[Moment]
    ended_at: Mapped[Moment]
    sources_checked: Mapped[int]
    """Charges, refunds, disputes, transfers and payouts of Stripe that were compared."""
    fees_recorded: Mapped[int] = mapped_column(server_default=text("0"))
    breaks_found: Mapped[int]
    breaks: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'"))
    """As `domain.reconcile.Break`; at most some hundreds of them."""
    own_movements: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'"))
    """As `domain.reconcile.OwnSum`."""
