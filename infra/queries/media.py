"""A creator's own media, page by page.

The statement answers rows of the asking owner only, which is why it needs no decision.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from domain.media.states import MediaKind, MediaState, RenditionKind
from domain.paging import Keyset
from infra.queries.access import MEDIA_COLUMNS, MediaRecord, StoredRendition
from infra.reads import ReadPool

_LIST = f"""
SELECT t.thumbnail, {MEDIA_COLUMNS}
FROM media m
JOIN users u ON u.id = m.owner_id AND u.deleted_at IS NULL
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
WHERE m.owner_id = %(owner_id)s::uuid
  AND m.state NOT IN ('deleted', 'expired')
  AND (%(state)s::text IS NULL OR m.state = %(state)s)
  AND (%(kind)s::text IS NULL OR m.kind = %(kind)s)
  AND (m.created_at, m.id) < (
    COALESCE(%(before_at)s::timestamptz, 'infinity'),
    COALESCE(%(before_id)s::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
  )
ORDER BY m.created_at DESC, m.id DESC
LIMIT %(limit)s
""".encode()


@dataclass(frozen=True, slots=True)
class ListedMedia:
    media: MediaRecord
    thumbnail: StoredRendition | None


async def list_own_media(
    reads: ReadPool,
    *,
    owner_id: str,
    limit: int,
    after: Keyset | None,
    state: MediaState | None,
    kind: MediaKind | None,
) -> tuple[list[ListedMedia], bool]:
    """The next `limit` media of the owner, newest first, and whether more follow."""
    before_at: datetime | None = after.created_at if after else None
    rows = await reads.fetch_all(
        _LIST,
        {
            "owner_id": owner_id,
            "state": state,
            "kind": kind,
            "before_at": before_at,
            "before_id": after.id if after else None,
            "limit": limit + 1,
        },
    )
    listed = [
        ListedMedia(
            media=MediaRecord(*columns),
            thumbnail=thumbnail and StoredRendition(RenditionKind(thumbnail[0]), *thumbnail[1:]),
        )
        for thumbnail, *columns in rows[:limit]
    ]
    return listed, len(rows) > limit
