"""Somebody's own sessions, page by page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from domain.access import Caller
from domain.auth import SessionMode
from domain.paging import Keyset
from infra.queries.access.gathering import VIEWER
from infra.queries.callers import session_ended
from infra.reads import ReadPool

_LIST = f"""
WITH {VIEWER},
page AS (
    SELECT s.id::text, s.mode, s.methods, s.second_factor_at IS NOT NULL AS has_second_factor,
           s.user_agent, host(s.ip) AS ip, s.created_at, s.last_used_at, s.expires_at
    FROM viewer v JOIN auth_sessions s ON s.user_id = v.id
    WHERE s.revoked_at IS NULL AND s.expires_at > %(now)s
      AND (s.created_at, s.id) < (
        COALESCE(%(before_at)s::timestamptz, 'infinity'),
        COALESCE(%(before_id)s::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
      )
    ORDER BY s.created_at DESC, s.id DESC
    LIMIT %(limit)s
)
SELECT page.* FROM viewer LEFT JOIN page ON true ORDER BY page.created_at DESC, page.id DESC
""".encode()


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
) -> tuple[list[ListedSession], bool]:
    """The caller's next `limit` live sessions, newest first, and whether more follow.

    Raises:
        Unauthenticated: `session_ended`.
    """
    rows = await reads.fetch_all(
        _LIST,
        {
            "viewer_id": caller.user_id,
            "session_id": caller.session_id,
            "now": now,
            "before_at": after.created_at if after else None,
            "before_id": after.id if after else None,
            "limit": limit + 1,
        },
    )
    if not rows:
        raise session_ended()
    listed = [
        ListedSession(session_id, SessionMode(mode), *columns)
        for session_id, mode, *columns in rows
        if session_id is not None
    ]
    return listed[:limit], len(listed) > limit
