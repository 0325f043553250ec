"""The pictures of a profile: avatar and cover.

They are public media of the person whom they show, so who may see the person may see them, and
no decision of their own is needed. The fragments here answer nothing else: a picture that was
deleted, held back or made private since it was chosen is not shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from domain.media.states import RenditionKind
from infra.queries.access import StoredRendition

COVER_WIDTH_MAX = 1440


@dataclass(frozen=True, slots=True)
class Portrait:
    """One picture in one or more sizes, the smallest first."""

    media_id: str
    thumbhash: str | None
    sources: tuple[StoredRendition, ...]


def _portrait_sql(media_id: str, renditions: str) -> str:
    return f"""(
    SELECT jsonb_build_array(pm.id, pm.thumbhash, (
        SELECT jsonb_agg(jsonb_build_array(
            r.kind, r.name, r.content_type, r.bucket, r.object_key, r.bytes,
            r.width, r.height, r.duration_ms, r.encrypted, r.meta
        ) ORDER BY r.width)
        FROM renditions r
        WHERE r.media_id = pm.id AND r.generation = pm.published_generation
          AND r.content_type = 'image/webp' AND {renditions}
    ))
    FROM media pm
    WHERE pm.id = {media_id} AND pm.owner_id = u.id
      AND pm.visibility = 'public' AND pm.state IN ('ready', 'playable')
)"""


AVATAR = _portrait_sql("u.avatar_media_id", "r.kind = 'thumbnail'")
"""The avatar of the user `u`, as one column; `portrait_from` reads it."""
COVER = _portrait_sql("u.cover_media_id", f"r.kind = 'image' AND r.width <= {COVER_WIDTH_MAX}")
"""The cover of the user `u`, likewise."""


def portrait_from(column: list[Any] | None) -> Portrait | None:
    if column is None or not column[2]:
        return None
    media_id, thumbhash, rows = column
    sources = tuple(StoredRendition(RenditionKind(row[0]), *row[1:]) for row in rows)
    return Portrait(media_id, thumbhash, sources)
