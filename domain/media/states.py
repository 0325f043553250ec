"""The life of a media item: kinds, states, steps, and the moves that are allowed."""

from __future__ import annotations

from enum import StrEnum


class MediaKind(StrEnum):
    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"


class MediaState(StrEnum):
    """`uploading` → `processing` → (`playable` →) `ready`, or `rejected`, `cancelled`, `failed`.

    `held` waits for a person's judgement: complete, shown to nobody but its owner and staff.
    """

    UPLOADING = "uploading"
    PROCESSING = "processing"
    PLAYABLE = "playable"
    READY = "ready"
    HELD = "held"
    REJECTED = "rejected"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    DELETED = "deleted"

    @property
    def is_final(self) -> bool:
        return self not in _MOVING

    @property
    def is_running(self) -> bool:
        """A run of ingest is at work on it."""
        return self in (MediaState.PROCESSING, MediaState.PLAYABLE)

    @property
    def is_servable(self) -> bool:
        """Renditions exist and moderation let them through."""
        return self in (MediaState.PLAYABLE, MediaState.READY)


_MOVING = frozenset({MediaState.UPLOADING, MediaState.PROCESSING, MediaState.PLAYABLE})

_S = MediaState
ALLOWED_MOVES: dict[MediaState, frozenset[MediaState]] = {
    _S.UPLOADING: frozenset({_S.PROCESSING, _S.EXPIRED, _S.REJECTED, _S.CANCELLED, _S.DELETED}),
    _S.PROCESSING: frozenset(
        {_S.PLAYABLE, _S.READY, _S.HELD, _S.REJECTED, _S.FAILED, _S.CANCELLED, _S.DELETED}
    ),
    _S.PLAYABLE: frozenset({_S.READY, _S.HELD, _S.REJECTED, _S.FAILED, _S.CANCELLED, _S.DELETED}),
    # Re-processing what is served goes by `playable`, so that nobody loses sight of it meanwhile.
    _S.READY: frozenset({_S.READY, _S.PLAYABLE, _S.PROCESSING, _S.HELD, _S.REJECTED, _S.DELETED}),
    _S.HELD: frozenset({_S.READY, _S.REJECTED, _S.PROCESSING, _S.DELETED}),
    _S.REJECTED: frozenset({_S.PROCESSING, _S.DELETED}),
    _S.FAILED: frozenset({_S.PROCESSING, _S.DELETED}),
    _S.CANCELLED: frozenset({_S.PROCESSING, _S.DELETED}),
    _S.EXPIRED: frozenset({_S.DELETED}),
    _S.DELETED: frozenset(),
}


def may_move(source: MediaState, target: MediaState) -> bool:
    return target in ALLOWED_MOVES[source]


class Visibility(StrEnum):
    """Who may see a media item once it is ready."""

    PRIVATE = "private"
    """Owner and staff only; everybody else gets 404."""
    GATED = "gated"
    """Anyone signed in may know of it; playing needs an entitlement."""
    PUBLIC = "public"


class IngestStep(StrEnum):
    """Steps as shown to the creator, to operators (`JobStep`) and over SSE."""

    INSPECT = "inspect"
    """Read once: size, SHA-256, virus scan, type."""
    PROBE = "probe"
    RENDER = "render"
    """Images: every rendition from one decode."""
    AUDIO = "audio"
    TRANSCODE = "transcode"
    FINISH = "finish"
    """Poster, storyboard, teaser."""
    MODERATE = "moderate"
    PUBLISH = "publish"


class Purpose(StrEnum):
    POST = "post"
    MESSAGE = "message"
    AVATAR = "avatar"
    COVER = "cover"


class RenditionKind(StrEnum):
    IMAGE = "image"
    THUMBNAIL = "thumbnail"
    BLUR = "blur"
    POSTER = "poster"
    POSTER_BLUR = "poster_blur"
    VIDEO = "video"
    AUDIO = "audio"
    STORYBOARD = "storyboard"
    STORYBOARD_VTT = "storyboard_vtt"
    WAVEFORM = "waveform"
    TEASER = "teaser"

    @property
    def is_public_preview(self) -> bool:
        """May be fetched by a stranger of gated media."""
        return self in (RenditionKind.BLUR, RenditionKind.POSTER_BLUR, RenditionKind.TEASER)
