"""What ingest passes between workflow and activities: ids, keys and small facts only.

Every field added later needs a default, so that old histories still replay.
"""

from __future__ import annotations

from dataclasses import dataclass

from domain.media.states import MediaKind


@dataclass(frozen=True)
class IngestInput:
    media_id: str
    creator_id: str
    generation: int = 1
    only_renditions: tuple[str, ...] = ()
    """Names of renditions to make again (`720p`, `w640.webp`); empty means all."""


@dataclass(frozen=True)
class MediaRef:
    """What most activities need to know: which media, which run of ingest."""

    media_id: str
    generation: int = 1


@dataclass(frozen=True)
class Inspection:
    """What one read of the original told."""

    kind: MediaKind
    content_type: str
    size_bytes: int
    sha256: str
    verdict: str
    """`clean`, or `not_scanned` where policy lets a sealed original be re-encoded."""


@dataclass(frozen=True)
class RenderInput:
    media_id: str
    generation: int
    content_type: str
    only_renditions: tuple[str, ...] = ()
    """Names of renditions to make again; the others are kept as published."""


@dataclass(frozen=True)
class RenderedImage:
    renditions: int
    bytes_written: int
    moderation: str


@dataclass(frozen=True)
class VideoPlanned:
    """How a probed video or audio file will be made."""

    duration_ms: int
    has_video: bool
    has_audio: bool
    rungs: tuple[str, ...] = ()
    """Names from low to high, as `240p`."""
    passes: tuple[tuple[str, ...], ...] = ()
    """Rungs of each pass over the source; more than one pass only where chunked."""
    chunk_count: int = 1
    makes_audio: bool = True
    makes_stills: bool = True
    """Poster, storyboard and a fresh judgement; False where one rendition is made again."""


@dataclass(frozen=True)
class EncodeVideoInput:
    media_id: str
    generation: int
    pass_index: int
    chunk_index: int


@dataclass(frozen=True)
class EncodedVideo:
    pass_index: int
    chunk_index: int
    segments: int
    bytes_written: int
    resumed_from_segment: int = 0


@dataclass(frozen=True)
class EncodedAudio:
    renditions: tuple[str, ...]
    bytes_written: int


@dataclass(frozen=True)
class Finished:
    poster: bool
    storyboard_tiles: int
    teaser: bool = False


@dataclass(frozen=True)
class Judged:
    moderation: str
    """`pass`, `label`, `hold` or `block`."""
    frames: int = 0


@dataclass(frozen=True)
class PublishInput:
    media_id: str
    generation: int
    stage: str
    """`playable` (first rung) or `ready` (everything)."""
    skipped_steps: tuple[str, ...] = ()


@dataclass(frozen=True)
class Published:
    state: str
    """`playable`, `ready`, `held`, or `rejected` where the block list matched."""
    renditions: int
    reason: str | None = None


@dataclass(frozen=True)
class MarkInput:
    """A projection of the run's state for the API to read."""

    media_id: str
    generation: int
    state: str | None = None
    step: str | None = None
    percent: int | None = None
    note: str | None = None
    needs_attention: bool | None = None
    rejection_code: str | None = None
    rejection_detail: str | None = None


@dataclass(frozen=True)
class DeleteMediaInput:
    media_id: str
    requested_by: str = "system"
    ingest_workflow_ids: tuple[str, ...] = ()
    """Runs that may still be writing; they are cancelled first."""


@dataclass(frozen=True)
class DeletedMedia:
    objects: int
    purged_paths: int = 0


@dataclass(frozen=True)
class SweepReport:
    expired_uploads: int = 0
    started_runs: int = 0
    failed_runs: int = 0
    restarted_deletions: int = 0
    retired_originals: int = 0


@dataclass(frozen=True)
class IngestResult:
    state: str
    reason: str | None = None
