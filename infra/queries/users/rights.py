"""Which rights somebody holds now. What a right opens is for `infra.queries.access` to say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from domain.access import Caller, GrantSource
from domain.paging import Keyset
from infra.queries.access.gathering import VIEWER, viewer_params
from infra.queries.people import (
    PERSON,
    PERSON_WIDTH,
    SHOWN,
    Person,
    newest_first,
    person_from,
    since_params,
)
from infra.reads import ReadPool

_RIGHTS = f"""
WITH {VIEWER}
SELECT {PERSON}, e.id::text, e.source, e.media_id::text, e.post_id::text, e.tier_id::text,
    t.name, e.starts_at, e.expires_at, e.created_at
FROM viewer v
JOIN entitlements e ON e.fan_id = v.id
JOIN users u ON u.id = e.creator_id AND {SHOWN}
LEFT JOIN tiers t ON t.id = e.tier_id
WHERE e.starts_at <= %(now)s
  AND (e.expires_at IS NULL OR e.expires_at > %(now)s)
  AND (e.revoked_at IS NULL OR e.revoked_at > %(now)s)
  AND NOT EXISTS (SELECT FROM blocks b
      WHERE b.blocker_id = e.creator_id AND b.blocked_id = v.id)
  AND NOT EXISTS (SELECT FROM blocks b
      WHERE b.blocker_id = v.id AND b.blocked_id = e.creator_id)
  AND {newest_first("e.created_at", "e.id")}
ORDER BY e.created_at DESC, e.id DESC
LIMIT %(limit)s
""".encode()


@dataclass(frozen=True, slots=True)
class LiveRight:
    creator: Person
    id: str
    source: GrantSource
    media_id: str | None
    post_id: str | None
    tier_id: str | None
    tier_name: str | None
    starts_at: datetime
    expires_at: datetime | None
    created_at: datetime


async def list_rights(
    reads: ReadPool, *, caller: Caller, now: datetime, after: Keyset | None, limit: int
) -> tuple[list[LiveRight], bool]:
    """The caller's live rights, the newest first, and whether more follow.

    Rights on what a closed account published, or on either side of a block, open nothing and
    are left out.
    """
    params = viewer_params(caller, now) | since_params(after, limit)
    rows = await reads.fetch_all(_RIGHTS, params)
    listed = []
    for row in rows[:limit]:
        right_id, source, *rest = row[PERSON_WIDTH:]
        person = person_from(row[:PERSON_WIDTH])
        listed.append(LiveRight(person, right_id, GrantSource(source), *rest))
    return listed, len(rows) > limit
