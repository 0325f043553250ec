"""The only writer of the audit log."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from infra.models import AuditEntry


def record(session: Session, entry: AuditEntry, *, once: str | None = None) -> bool:
    """Write an entry in the caller's transaction, together with the act it speaks of.

    Args:
        once: names the act, where its activity may run twice; a repeat writes nothing.

    Returns:
        Whether an entry was written.
    """
    if once is not None:
        entry.detail = {**entry.detail, "once": once}
        written = session.scalar(
            select(AuditEntry.id).where(
                AuditEntry.subject_type == entry.subject_type,
                AuditEntry.subject_id == entry.subject_id,
                AuditEntry.detail["once"].astext == once,
            )
        )
        if written is not None:
            return False
    session.add(entry)
    return True
