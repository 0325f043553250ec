"""What the probe found out about a video or a recording. Facts only, no rule."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import Any


class Transfer(StrEnum):
    """How code values map to light."""

    SDR = "sdr"
    PQ = "smpte2084"
    HLG = "arib-std-b67"

    @property
    def is_hdr(self) -> bool:
        return self is not Transfer.SDR


@dataclass(frozen=True)
class Colour:
    """How to read the source's samples. Names are those of ffmpeg's filters, never unknown."""

    matrix: str = "bt709"
    primaries: str = "bt709"
    transfer: Transfer = Transfer.SDR
    full_range: bool = False

    @property
    def is_wide(self) -> bool:
        """The gamut is larger than that of BT.709, so that primaries must be mapped too."""
        return self.primaries in ("bt2020", "smpte431", "smpte432")


@dataclass(frozen=True)
class AudioTrack:
    """The audio stream to use: the default one among those that can be decoded."""

    stream_index: int
    codec: str
    channels: int
    sample_rate_hz: int
    duration_ms: int
    """From the file's start to the track's end, silence before its own start included."""
    start_us: int = 0
    """The file's start on its own clock, in microseconds; what `duration_ms` counts from."""
    language: str | None = None
    profile: str | None = None


@dataclass(frozen=True)
class SourceAudio:
    """A file whose use is its sound; a cover picture may be attached."""

    container: str
    duration_ms: int
    size_bytes: int
    audio: AudioTrack
    warnings: tuple[str, ...] = ()

    def as_facts(self) -> dict[str, Any]:
        return asdict(self) | {"kind": "audio", "warnings": list(self.warnings)}


@dataclass(frozen=True)
class SourceVideo:
    """A file with moving pictures.

    `width` and `height` are those of the upright picture with square pixels, before any
    evening of sides; `frame_count` counts packets, `duration_ms` is that of the pictures.
    """

    container: str
    duration_ms: int
    size_bytes: int
    stream_index: int
    codec: str
    width: int
    height: int
    frame_rate: Fraction
    frame_count: int
    bitrate: int
    pixel_format: str = "yuv420p"
    bit_depth: int = 8
    coded_width: int = 0
    coded_height: int = 0
    is_turned: bool = False
    """A display matrix rotates or mirrors the stored picture."""
    has_square_pixels: bool = True
    variable_frame_rate: bool = False
    interlaced: bool = False
    start_us: int = 0
    """The file's start on its own clock, in microseconds; what `duration_ms` counts from."""
    starts_at_zero: bool = True
    """The first picture is shown at the container's own start."""
    colour: Colour = field(default_factory=Colour)
    keyframe_period_frames: int = 0
    """Every multiple of it, from 0, is a closed key frame; 0 where there is no such period,
    or where frames don't follow each other at exactly the frame rate."""
    audio: AudioTrack | None = None
    warnings: tuple[str, ...] = ()
    """What an operator may want to know: a track that can't be decoded, a cut-off end."""

    @property
    def short_side(self) -> int:
        return min(self.width, self.height)

    def as_facts(self) -> dict[str, Any]:
        """As JSON, for the row; `source_from_facts` reads it back."""
        facts = asdict(self) | {"kind": "video", "warnings": list(self.warnings)}
        return facts | {"frame_rate": f"{self.frame_rate.numerator}/{self.frame_rate.denominator}"}


def source_from_facts(facts: dict[str, Any]) -> SourceVideo | SourceAudio:
    """The inverse of `as_facts`; keys that are not ours are ignored."""
    audio = None if facts.get("audio") is None else AudioTrack(**facts["audio"])
    if facts["kind"] == "audio":
        if audio is None:
            raise ValueError("facts of a recording name no audio track")
        return SourceAudio(
            container=facts["container"],
            duration_ms=facts["duration_ms"],
            size_bytes=facts["size_bytes"],
            audio=audio,
            warnings=tuple(facts["warnings"]),
        )
    known = {name: facts[name] for name in SourceVideo.__dataclass_fields__ if name in facts}
    colour = dict(facts["colour"])
    return SourceVideo(
        **known
        | {
            "audio": audio,
            "colour": Colour(**colour | {"transfer": Transfer(colour["transfer"])}),
            "frame_rate": Fraction(facts["frame_rate"]),
            "warnings": tuple(facts["warnings"]),
        }
    )
