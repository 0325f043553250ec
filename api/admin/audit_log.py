"""The audit log for admins. That they read it stands in it, too."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query

from api import API_PREFIX
from api.admin import schemas
from api.admin.desk import AuditorDesk
from api.problems import PROBLEMS
from domain.paging import cursor_for_number, number_from
from infra.queries.admin.audit_log import AuditSearch, search_audit_log

router = APIRouter(prefix=f"{API_PREFIX}/admin/audit", tags=["admin"], responses=PROBLEMS)


@router.get("", operation_id="searchAuditLog")
async def search(
    query: Annotated[schemas.AuditQuery, Query()], desk: AuditorDesk
) -> schemas.AuditPage:
    """Who did what to what, newest first. For admins who signed in with a second factor.

    Each request is itself an entry, `audit.read`, with what was looked for.
    """
    wanted = AuditSearch(
        actor_id=str(query.actor_id) if query.actor_id else None,
        actor_name=query.actor,
        action=query.action,
        subject_type=query.subject_type,
        subject_id=query.subject_id,
        request_id=query.request_id,
        since=query.since,
        until=query.until,
    )
    entries, has_more = await search_audit_log(
        desk.parts.reads,
        wanted,
        limit=query.limit,
        before=number_from(query.cursor) if query.cursor is not None else None,
    )
    looked_for = {name: str(value) for name, value in wanted.given().items()}
    await desk.note_look("audit.read", subject_type="audit_log", looked_for=looked_for)
    return schemas.AuditPage(
        data=[schemas.AuditEntryBody(**asdict(entry)) for entry in entries],
        next_cursor=cursor_for_number(entries[-1].id) if has_more else None,
        has_more=has_more,
    )
