"""Reconciliations as staff see them: one statement each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.errors import NotFound
from domain.paging import Keyset
from infra.reads import ReadPool

_COLUMNS = """r.id::text, r.window_start, r.window_end, r.started_at, r.ended_at,
    r.sources_checked, r.fees_recorded, r.breaks_found, r.own_movements"""
_LIST = f"""
SELECT {_COLUMNS}, '[]'::jsonb FROM reconciliations r
WHERE (NOT %(only_breaks)s OR r.breaks_found > 0)
  AND (%(after_at)s::timestamptz IS NULL
       OR (r.ended_at, r.id) < (%(after_at)s::timestamptz, %(after_id)s::uuid))
ORDER BY r.ended_at DESC, r.id DESC
LIMIT %(limit)s
""".encode()
_ONE = f"SELECT {_COLUMNS}, r.breaks FROM reconciliations r WHERE r.id = %(id)s::uuid".encode()


@dataclass(frozen=True, slots=True)
class ReconciliationView:
    id: str
    window_start: datetime
    window_end: datetime
    started_at: datetime
    ended_at: datetime
    sources_checked: int
    fees_recorded: int
    breaks_found: int
    own_movements: list[dict[str, Any]]
    """As `domain.reconcile.OwnSum`."""
    breaks: list[dict[str, Any]]
    """Of one that is looked at by itself; empty in lists."""


async def list_reconciliations(
    reads: ReadPool, *, only_breaks: bool, limit: int, after: Keyset | None
) -> tuple[list[ReconciliationView], bool]:
    """Newest first; and whether there are more."""
    rows = await reads.fetch_all(
        _LIST,
        {
            "only_breaks": only_breaks,
            "after_at": after.created_at if after else None,
            "after_id": after.id if after else None,
            "limit": limit + 1,
        },
    )
    return [ReconciliationView(*row) for row in rows[:limit]], len(rows) > limit


async def reconciliation_view(reads: ReadPool, reconciliation_id: str) -> ReconciliationView:
    """One, with what differed.

    Raises:
        NotFound: `reconciliation_unknown`.
    """
    row = await reads.fetch_one(_ONE, {"id": reconciliation_id})
    if row is None:
        raise NotFound("There is no such reconciliation.", code="reconciliation_unknown")
    return ReconciliationView(*row)
