"""Audit entries of what people do to their own accounts."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from domain.auth import Origin
from infra.models import AuditEntry, User
from infra.queries import audit


async def note_own_act(
    session: AsyncSession,
    user: User,
    action: str,
    origin: Origin,
    *,
    session_id: str | None = None,
    **detail: str,
) -> None:
    """Write down what `user` did, in which session and from where. Never a secret."""
    known = {"session_id": session_id, "ip": origin.ip}
    entry = AuditEntry(
        actor_id=user.id,
        actor_name=user.handle,
        action=action,
        subject_type="user",
        subject_id=user.id,
        request_id=origin.request_id,
        detail={**{name: value for name, value in known.items() if value is not None}, **detail},
    )
    await session.run_sync(audit.record, entry)
