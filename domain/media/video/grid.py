"""The grid of segments: exact times, whole frames, and chunks made of whole segments."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from domain.media.video.ladder import VideoPolicy
    from domain.media.video.source import SourceVideo

_STANDARD_RATES = (
    Fraction(10),
    Fraction(12),
    Fraction(25, 2),
    Fraction(15),
    Fraction(20),
    Fraction(24000, 1001),
    Fraction(24),
    Fraction(25),
    Fraction(30000, 1001),
    Fraction(30),
    Fraction(48),
    Fraction(50),
    Fraction(60000, 1001),
    Fraction(60),
)
_RATE_MIN = 10
"""Slower sources repeat frames: a segment must hold whole GOPs of whole frames."""
_TIMESCALE_MIN = 10_000


def output_frame_rate(source: SourceVideo, policy: VideoPolicy) -> Fraction:
    """The constant rate of every rung.

    The source's own, where it is exact and fits; a fraction of it above the limit (120 → 60),
    a multiple of it where it is very slow; the next standard rate where frames come
    irregularly or the container's number is no real one (24.0064), unless it is one but for
    rounding.
    """
    rate = source.frame_rate
    if rate > policy.frame_rate_max:
        rate = rate / ceil(rate / policy.frame_rate_max)
    if rate < _RATE_MIN:
        rate = rate * ceil(_RATE_MIN / rate)
    nearest = min(_STANDARD_RATES, key=lambda standard: abs(standard - rate))
    if abs(nearest - rate) * 2000 <= rate:
        rate = nearest
    elif source.variable_frame_rate and abs(nearest - rate) * 80 <= rate:
        # Measured in whole milliseconds, 30 frames a second are 33 apart and seem to be 30.3.
        rate = nearest
    elif source.variable_frame_rate:
        rate = next((standard for standard in _STANDARD_RATES if standard >= rate), rate)
    elif rate.denominator > 1001 or rate.numerator > 1_000_000:
        rate = nearest if abs(nearest - rate) * 200 <= rate else rate.limit_denominator(100)
    return min(rate, Fraction(policy.frame_rate_max))


@dataclass(frozen=True)
class SegmentGrid:
    """A constant frame rate cut into segments of `frames_per_segment`; the last is shorter.

    `frame_count` is what the probe promised. The count that an encode really had may be
    smaller where the source's end can't be decoded.
    """

    frame_rate: Fraction
    frames_per_segment: int
    frames_per_gop: int
    frame_count: int

    @property
    def segment_count(self) -> int:
        return -(-self.frame_count // self.frames_per_segment)

    @property
    def duration_seconds(self) -> Fraction:
        return self.frame_count / self.frame_rate

    @property
    def timescale(self) -> int:
        """Ticks per second of the renditions: a frame is a whole number of them."""
        scale = self.frame_rate.numerator
        while scale < _TIMESCALE_MIN:
            scale *= 2
        return scale

    @property
    def ticks_per_frame(self) -> int:
        return int(self.timescale / self.frame_rate)

    def start_frame(self, segment: int) -> int:
        return min(segment * self.frames_per_segment, self.frame_count)

    def start_seconds(self, segment: int) -> Fraction:
        return segment * self.frames_per_segment / self.frame_rate

    def frames_in(self, segment: int) -> int:
        """Frames of one segment; 0 outside the grid."""
        return max(0, self.start_frame(segment + 1) - self.start_frame(segment))

    def is_chunked(self, threshold_seconds: int) -> bool:
        return self.duration_seconds > threshold_seconds


def grid_for(source: SourceVideo, policy: VideoPolicy) -> SegmentGrid:
    """The grid of every rung of a source.

    A segment is `segment_seconds` rounded to whole GOPs, so that it and each of its GOPs hold
    whole frames at any rate.
    """
    rate = output_frame_rate(source, policy)
    gops = max(1, round(policy.segment_seconds / policy.gop_seconds))
    frames_per_gop = max(1, round(policy.segment_seconds * rate / gops))
    return SegmentGrid(
        frame_rate=rate,
        frames_per_segment=frames_per_gop * gops,
        frames_per_gop=frames_per_gop,
        frame_count=max(1, round(Fraction(source.duration_ms, 1000) * rate)),
    )


@dataclass(frozen=True)
class Chunk:
    """Segments `start_segment` to `end_segment` (exclusive); None runs to the source's end."""

    index: int
    start_segment: int
    end_segment: int | None


def chunks_for(grid: SegmentGrid, policy: VideoPolicy) -> tuple[Chunk, ...]:
    """The parts of a video that are encoded apart: one for a short video.

    A rest shorter than half a chunk is left with its neighbour, since starting a decoder
    costs more than it saves.
    """
    if not grid.is_chunked(policy.chunk_threshold_seconds):
        return (Chunk(0, 0, None),)
    size = max(1, round(policy.chunk_seconds / (grid.frames_per_segment / grid.frame_rate)))
    count = max(1, round(Fraction(grid.segment_count, size)))
    return tuple(
        Chunk(index, index * size, None if index == count - 1 else (index + 1) * size)
        for index in range(count)
    )
