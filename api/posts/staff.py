"""Staff may see what they are not entitled to, and each time is written down."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import Request

from api.parts import Parts
from domain.access import Reason
from domain.posts import Audience, PostState
from infra.db import async_transaction
from infra.models import AuditEntry, User
from infra.queries import audit
from infra.queries.access.posts import JudgedPost, OpenedPost


async def audit_staff_view(
    parts: Parts,
    request: Request,
    shown: Sequence[OpenedPost] | Sequence[JudgedPost],
    *,
    action: str,
) -> None:
    """One entry for each post that their office alone opened to them."""
    by_office = [each for each in shown if _needed_office(each)]
    if not by_office:
        return
    async with async_transaction(parts.engine) as session:
        staff = await session.get_one(User, by_office[0].viewer.user_id)
        for each in by_office:
            entry = AuditEntry(
                actor_id=staff.id,
                actor_name=staff.handle,
                action=action,
                subject_type="post",
                subject_id=each.id,
                request_id=request.scope.get("request_id"),
                detail={"owner_id": each.owner_id},
            )
            await session.run_sync(audit.record, entry)


def _needed_office(shown: OpenedPost | JudgedPost) -> bool:
    is_for_all = shown.state is PostState.PUBLISHED and shown.audience is Audience.PUBLIC
    return shown.decision.reason is Reason.STAFF and not is_for_all
