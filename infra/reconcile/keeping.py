"""Writing down what a comparison has found. Inside the caller's transaction."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from domain.ids import derived_id
from infra.models import Reconciliation
from infra.reconcile.comparing import Comparison

BREAKS_KEPT_MAX = 500


def keep_reconciliation(
    session: Session,
    comparison: Comparison,
    *,
    started_at: datetime,
    ended_at: datetime,
    fees_recorded: int,
) -> str:
    """The id of its row, made of when it began: a repeat keeps the first one."""
    reconciliation_id = derived_id("reconciliation", started_at.isoformat())
    row = insert(Reconciliation).values(
        id=reconciliation_id,
        window_start=comparison.window.start,
        window_end=comparison.window.end,
        started_at=started_at,
        ended_at=ended_at,
        sources_checked=comparison.sources_checked,
        fees_recorded=fees_recorded,
        breaks_found=len(comparison.breaks),
        breaks=[asdict(each) for each in comparison.breaks[:BREAKS_KEPT_MAX]],
        own_movements=[asdict(each) for each in comparison.own],
    )
    session.execute(row.on_conflict_do_nothing())
    return reconciliation_id
