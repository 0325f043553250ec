"""What creators write about what they sell: one transaction each, and what is audited of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import Request
from sqlalchemy.orm import Session

from api.auth.callers import SignedIn
from api.parts import Parts
from infra.db import async_transaction
from infra.models import AuditEntry, User
from infra.queries import audit
from infra.queries.callers import load_caller
from infra.queries.creators.settings import creator_row


async def as_creator(
    parts: Parts, caller: SignedIn, write: Callable[[Session, User], None]
) -> None:
    """Run `write` in a transaction, with the caller who is a creator.

    Raises:
        AccessDenied: `creators_only`.
        Unauthenticated: the account or the session is over.
    """
    async with async_transaction(parts.engine) as session:
        user = await load_caller(session, caller.caller)
        await creator_row(session, user)
        await session.run_sync(write, user)


def note(
    session: Session,
    request: Request,
    actor: User,
    action: str,
    subject_id: str,
    detail: Mapping[str, Any],
    *,
    kind: str = "tier",
) -> None:
    """Write down what the actor did to a subject of that kind."""
    entry = AuditEntry(
        actor_id=actor.id,
        actor_name=actor.handle,
        action=action,
        subject_type=kind,
        subject_id=subject_id,
        request_id=request.scope.get("request_id"),
        detail=dict(detail),
    )
    audit.record(session, entry)
