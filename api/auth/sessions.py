"""Routes of somebody's own sessions."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from api import API_PREFIX
from api.auth import schemas
from api.auth.callers import SignedInCaller
from api.auth.cookies import clear_cookies
from api.auth.origin import RequestOrigin
from api.parts import ApiParts
from api.problems import PROBLEMS
from api.schemas import PageQuery
from domain.auth import SessionEnd
from domain.errors import NotFound
from domain.paging import cursor_for, keyset_from
from infra.db import async_transaction
from infra.queries.auth.journal import note_own_act
from infra.queries.auth.listing import list_sessions
from infra.queries.auth.sessions import revoke_session
from infra.queries.callers import load_caller

router = APIRouter(prefix=f"{API_PREFIX}/auth/sessions", tags=["auth"], responses=PROBLEMS)


@router.get("", operation_id="listSessions")
async def list_own_sessions(
    query: Annotated[PageQuery, Query()], caller: SignedInCaller, parts: ApiParts
) -> schemas.SessionPage:
    """Where the caller is signed in, newest first."""
    listed, last = await list_sessions(
        parts.reads,
        caller.caller,
        now=parts.now(),
        limit=query.limit,
        after=keyset_from(query.cursor) if query.cursor is not None else None,
    )
    return schemas.SessionPage(
        data=[
            schemas.SessionBody(**asdict(each), is_current=each.id == caller.session_id)
            for each in listed
        ],
        next_cursor=cursor_for(last) if last else None,
        has_more=last is not None,
    )


@router.delete("/{session_id}", operation_id="revokeSession", status_code=204)
async def revoke(
    session_id: UUID,
    response: Response,
    caller: SignedInCaller,
    parts: ApiParts,
    origin: RequestOrigin,
) -> None:
    """Sign a device out. Its tokens count no more from now on."""
    ended_id = str(session_id)
    async with async_transaction(parts.engine) as session:
        user = await load_caller(session, caller.caller)
        was_live = await revoke_session(
            session,
            user_id=user.id,
            session_id=ended_id,
            reason=SessionEnd.REVOKED,
            now=parts.now(),
        )
        if not was_live:
            raise NotFound("There is no such session.", code="session_not_found")
        await note_own_act(
            session,
            user,
            "session.revoked",
            origin,
            session_id=caller.session_id,
            revoked_session_id=ended_id,
        )
    if ended_id == caller.session_id:
        clear_cookies(response)
