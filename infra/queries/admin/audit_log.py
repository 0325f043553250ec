"""The audit log as staff search it: one statement a page, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from infra.reads import ReadPool

_CONDITIONS = {
    "actor_id": "a.actor_id = %(actor_id)s::uuid",
    "actor_name": "a.actor_name = %(actor_name)s",
    "action": "a.action = %(action)s",
    "subject_type": "a.subject_type = %(subject_type)s",
    "subject_id": "a.subject_id = %(subject_id)s",
    "request_id": "a.request_id = %(request_id)s",
    "since": "a.at >= %(since)s",
    "until": "a.at < %(until)s",
    "before": "a.id < %(before)s",
}
"""Only those that were asked for stand in the statement, so that it finds its index."""


@dataclass(frozen=True, slots=True)
class AuditSearch:
    """What entries have to be like; None: anything."""

    actor_id: str | None = None
    actor_name: str | None = None
    action: str | None = None
    subject_type: str | None = None
    subject_id: str | None = None
    request_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def given(self) -> dict[str, Any]:
        values = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True)
class ListedEntry:
    id: int
    at: datetime
    actor_id: str | None
    actor_name: str
    action: str
    subject_type: str
    subject_id: str
    request_id: str | None
    detail: dict[str, Any]
    position: int | None
    hash: str | None


async def search_audit_log(
    reads: ReadPool, wanted: AuditSearch, *, limit: int, before: int | None
) -> tuple[list[ListedEntry], bool]:
    """The next `limit` entries, and whether more follow."""
    params = wanted.given() | ({"before": before} if before is not None else {})
    conditions = " AND ".join(_CONDITIONS[name] for name in params) or "true"
    statement = f"""
        SELECT a.id, a.at, a.actor_id::text, a.actor_name, a.action, a.subject_type,
               a.subject_id, a.request_id, a.detail, l.position, encode(l.hash, 'hex')
        FROM audit_log a LEFT JOIN audit_links l ON l.entry_id = a.id
        WHERE {conditions} ORDER BY a.id DESC LIMIT %(limit)s
    """
    rows = await reads.fetch_all(statement.encode(), {**params, "limit": limit + 1})
    return [ListedEntry(*row) for row in rows[:limit]], len(rows) > limit
