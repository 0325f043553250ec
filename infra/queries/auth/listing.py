"""Somebody's own sessions, page by page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from domain.access import Caller
from domain.auth import SessionMode
from domain.paging import Keyset
from infra.queries.own_pages import ME, fetch_own_page, own_page
from infra.reads import ReadPool

_SESSIONS = own_page(
    "s.id::text, s.mode, s.methods, s.second_factor_at IS NOT NULL, s.user_agent, host(s.ip), "
    "s.created_at, s.last_used_at, s.expires_at",
    f"""auth_sessions s
    WHERE s.user_id = {ME} AND s.revoked_at IS NULL AND s.expires_at > %(now)s""",
    at="s.created_at",
    key="s.id",
)


@dataclass(frozen=True, slots=True)
class ListedSession:
    id: str
    mode: SessionMode
    methods: list[str]
    has_second_factor: bool
    user_agent: str
    ip: str | None
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime


async def list_sessions(
    reads: ReadPool, caller: Caller, *, now: datetime, limit: int, after: Keyset | None
) -> tuple[list[ListedSession], Keyset | None]:
    """The caller's next `limit` live sessions, newest first, and where the page ended if more
    follow.

    Raises:
        Unauthenticated: `session_ended`.
    """
    page = await fetch_own_page(reads, _SESSIONS, caller=caller, after=after, limit=limit, now=now)
    listed = [
        ListedSession(session_id, SessionMode(mode), *columns)
        for session_id, mode, *columns in page.rows
    ]
    return listed, page.last
