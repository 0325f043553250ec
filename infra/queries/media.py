"""A creator's own media, page by page.

The statement answers rows of the asking owner only, which is why it needs no decision.
"""

from __future__ import annotations

from dataclasses import dataclass

from domain.access import Caller
from domain.media.states import MediaKind, MediaState, RenditionKind
from domain.paging import Keyset
from infra.queries.access import MEDIA_COLUMNS, MediaRecord, StoredRendition
from infra.queries.own_pages import ME, fetch_own_page, own_page
from infra.reads import ReadPool

_LIST = own_page(
    f"t.thumbnail, {MEDIA_COLUMNS}",
    f"""media m
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
    WHERE m.owner_id = {ME}
      AND m.state NOT IN ('deleted', 'expired')
      AND (%(state)s::text IS NULL OR m.state = %(state)s)
      AND (%(kind)s::text IS NULL OR m.kind = %(kind)s)""",
    at="m.created_at",
    key="m.id",
)


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
) -> tuple[list[ListedMedia], Keyset | None]:
    """The caller's next `limit` media, newest first, and where the page ended if more follow.

    Raises:
        Unauthenticated: `session_ended`.
    """
    page = await fetch_own_page(
        reads, _LIST, caller=caller, after=after, limit=limit, state=state, kind=kind
    )
    listed = [
        ListedMedia(
            media=MediaRecord(*columns),
            thumbnail=thumbnail and StoredRendition(RenditionKind(thumbnail[0]), *thumbnail[1:]),
        )
        for thumbnail, *columns in page.rows
    ]
    return listed, page.last
