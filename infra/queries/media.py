"""A creator's own media, page by page.

The statement answers rows of the asking owner only, which is why it needs no decision.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from domain.access import Caller
from domain.media.states import MediaKind, MediaState, RenditionKind
from domain.paging import Keyset
from infra.queries.access import MEDIA_COLUMNS, MediaRecord, StoredRendition
from infra.queries.access.gathering import VIEWER
from infra.queries.callers import session_ended
from infra.reads import ReadPool

_LIST = f"""
WITH {VIEWER},
page AS (
SELECT t.thumbnail, {MEDIA_COLUMNS}, m.id AS key
FROM viewer v
JOIN media m ON m.owner_id = v.id
LEFT JOIN LATERAL (
    SELECT jsonb_build_array(
        r.kind, r.name, r.content_type, r.bucket, r.object_key, r.bytes,
        r.width, r.height, r.duration_ms, r.encrypted, r.meta
    ) AS thumbnail
    FROM renditions r
    WHERE r.media_id = m.id AND r.generation = m.published_generation
      AND r.kind IN ('thumbnail', 'poster')
    ORDER BY r.kind DESC LIMIT 1
) t ON true
WHERE m.state NOT IN ('deleted', 'expired')
  AND (%(state)s::text IS NULL OR m.state = %(state)s)
  AND (%(kind)s::text IS NULL OR m.kind = %(kind)s)
  AND (m.created_at, m.id) < (
    COALESCE(%(before_at)s::timestamptz, 'infinity'),
    COALESCE(%(before_id)s::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
  )
ORDER BY m.created_at DESC, m.id DESC
LIMIT %(limit)s
)
SELECT page.* FROM viewer LEFT JOIN page ON true ORDER BY page.created_at DESC, page.key DESC
""".encode()


@dataclass(frozen=True, slots=True)
class ListedMedia:
    media: MediaRecord
    thumbnail: StoredRendition | None


async def list_own_media(
    reads: ReadPool,
    *,
    caller: Caller,
    limit: int,
    after: Keyset | None,
    state: MediaState | None,
    kind: MediaKind | None,
) -> tuple[list[ListedMedia], bool]:
    """The caller's next `limit` media, newest first, and whether more follow.

    Raises:
        Unauthenticated: `session_ended`.
    """
    before_at: datetime | None = after.created_at if after else None
    rows = await reads.fetch_all(
        _LIST,
        {
            "viewer_id": caller.user_id,
            "session_id": caller.session_id,
            "state": state,
            "kind": kind,
            "before_at": before_at,
            "before_id": after.id if after else None,
            "limit": limit + 1,
        },
    )
    if not rows:
        raise session_ended()
    listed = [
        ListedMedia(
            media=MediaRecord(*columns),
            thumbnail=thumbnail and StoredRendition(RenditionKind(thumbnail[0]), *thumbnail[1:]),
        )
        for thumbnail, *columns, key in rows
        if key is not None
    ]
    return listed[:limit], len(listed) > limit
