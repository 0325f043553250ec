"""Where streamed renditions lie in storage, and what their rows say of them.

m/{media}/{generation}/{name}/init.mp4      clear
m/{media}/{generation}/{name}/000000.m4s    encrypted, one for each row of `segments`
work/{media}/{generation}/samples/000000.zip  small frames of a segment, until published
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

from domain.media.video.stills import StoryboardPlan, Tile


@dataclass(frozen=True)
class StreamMeta:
    """`Rendition.meta` of a video rung or an audio track. Bandwidths in bits per second."""

    generation: int
    """The run that made it: part of every segment's IV, also where a later run keeps it."""
    timescale: int
    """Ticks per second in `Rendition.segments`."""
    codecs: str
    bandwidth: int
    average_bandwidth: int
    frame_rate: str | None = None
    """As `30000/1001`; None for sound."""
    channels: int | None = None
    language: str | None = None
    is_default: bool = True

    def as_meta(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_meta(cls, meta: dict[str, Any]) -> StreamMeta:
        """Unknown keys are ignored, so that an older reader takes a newer row."""
        return cls(**{name: meta[name] for name in cls.__dataclass_fields__ if name in meta})

    @property
    def frames_per_second(self) -> float:
        return float(Fraction(self.frame_rate or 0))


@dataclass(frozen=True)
class StoryboardMeta:
    """`Rendition.meta` of a storyboard's WebVTT: its tiles, and its sheets by name."""

    plan: StoryboardPlan
    sheets: tuple[str, ...]

    def as_meta(self) -> dict[str, Any]:
        return {"plan": asdict(self.plan), "sheets": list(self.sheets)}

    @classmethod
    def from_meta(cls, meta: dict[str, Any]) -> StoryboardMeta:
        plan = meta["plan"]
        return cls(
            plan=StoryboardPlan(
                tile_width=plan["tile_width"],
                tile_height=plan["tile_height"],
                tiles=tuple(Tile(**tile) for tile in plan["tiles"]),
            ),
            sheets=tuple(meta["sheets"]),
        )


def stream_prefix(media_id: str, generation: int, name: str) -> str:
    return f"m/{media_id}/{generation}/{name}/"


def init_key(prefix: str) -> str:
    return f"{prefix}init.mp4"


def segment_key(prefix: str, index: int) -> str:
    return f"{prefix}{index:06d}.m4s"


def samples_prefix(media_id: str, generation: int) -> str:
    return f"work/{media_id}/{generation}/samples/"


def samples_key(media_id: str, generation: int, segment: int) -> str:
    return f"{samples_prefix(media_id, generation)}{segment:06d}.zip"
