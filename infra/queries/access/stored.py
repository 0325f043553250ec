"""What is stored of a media, as it is read behind the door."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from domain.media.states import MediaKind, MediaState, RenditionKind


@dataclass(frozen=True, slots=True)
class MediaRecord:
    """Columns of `media` that the API shows or decides by. Times in UTC."""

    id: str
    owner_id: str
    kind: str
    purpose: str
    state: str
    visibility: str
    title: str | None
    alt_text: str | None
    file_name: str
    version: int
    original_bytes: int
    original_sha256: str | None
    content_type: str | None
    generation: int
    published_generation: int | None
    step: str | None
    progress_percent: int
    progress_note: str | None
    needs_attention: bool
    rejection_code: str | None
    rejection_detail: str | None
    width: int | None
    height: int | None
    duration_ms: int | None
    thumbhash: str | None
    moderation_outcome: str | None
    moderation_labels: list[Any]
    created_at: datetime
    updated_at: datetime
    playable_at: datetime | None
    ready_at: datetime | None

    @property
    def media_kind(self) -> MediaKind:
        return MediaKind(self.kind)

    @property
    def media_state(self) -> MediaState:
        return MediaState(self.state)

    @property
    def is_published(self) -> bool:
        """Renditions are there to be served (to whom is the decision's matter)."""
        return self.published_generation is not None


@dataclass(frozen=True, slots=True)
class StoredRendition:
    """One rendition of the published generation."""

    kind: RenditionKind
    name: str
    content_type: str
    bucket: str
    object_key: str
    bytes: int
    width: int | None
    height: int | None
    duration_ms: int | None
    encrypted: bool
    meta: dict[str, Any]
    segments: list[list[int]] | None = None
    """`[duration_ticks, bytes]` of each; only where they were asked for."""


_COLUMNS = [each.name for each in fields(MediaRecord)]
_UUIDS = frozenset({"id", "owner_id"})
MEDIA_COLUMNS = ", ".join(f"m.{name}::text" if name in _UUIDS else f"m.{name}" for name in _COLUMNS)
