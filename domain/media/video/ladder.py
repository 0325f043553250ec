"""Which rungs a source gets, at which bitrate, and whether its top one may be copied."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from domain.media.video.grid import SegmentGrid, output_frame_rate
from domain.media.video.source import SourceVideo

# Short side of the rung, and its average bits per pixel in thousandths (media.md, Video).
_LADDER = ((240, 170), (360, 150), (480, 120), (720, 110), (1080, 100), (1440, 90), (2160, 80))
_NEARLY_PERCENT = 95
"""A picture of 704 or 1072 lines counts as the rung above it, at its own size."""
_LONG_SIDE_MAX = 4096
"""Players' decoders end at 4096 (H.264 level 5.2); longer strips are scaled down."""
_SOURCE_CAP_PERCENT = 130
_BITRATE_FLOOR = 64_000
# H.264 needs more bits for the same picture than newer codecs, so that their bitrate, taken
# as it is, would starve the rungs.
_H264_WORTH_PERCENT = {"hevc": 160, "vp9": 150, "av1": 190}


@dataclass(frozen=True)
class VideoPolicy:
    """Limits and choices for video, from the settings. Lengths in seconds unless named."""

    duration_seconds_max: int = 4 * 3600
    audio_duration_seconds_max: int = 8 * 3600
    pixels_max: int = 8192 * 8192
    streams_max: int = 32
    short_side_max: int = 1080
    frame_rate_max: int = 60
    segment_seconds: int = 4
    gop_seconds: int = 2
    chunk_seconds: int = 60
    chunk_threshold_seconds: int = 90
    preset: str = "veryfast"
    threads: int = 0
    storyboard_tiles_short: int = 50
    storyboard_tiles_long: int = 100
    storyboard_long_seconds: int = 15 * 60
    storyboard_tile_width: int = 160
    sample_frames_max: int = 120
    """Cap of the frames that moderation looks at; one a second below it."""


@dataclass(frozen=True)
class Rung:
    """One rendition of the ladder. Sides are even; rates in bits per second."""

    name: str
    width: int
    height: int
    bitrate: int

    @property
    def maxrate(self) -> int:
        return self.bitrate * 3 // 2

    @property
    def buffer_bits(self) -> int:
        return self.bitrate * 2

    @property
    def pixels(self) -> int:
        return self.width * self.height


def ladder_for(source: SourceVideo, policy: VideoPolicy) -> tuple[Rung, ...]:
    """The rungs, from low to high. Never empty and never larger than the source.

    A source below the lowest rung gets one rung of its own size.
    """
    rate = output_frame_rate(source, policy)
    rungs: list[Rung] = []
    for short_side, milli_bits in _LADDER:
        if short_side > policy.short_side_max and rungs:
            break
        if source.short_side * 100 < short_side * _NEARLY_PERCENT:
            break
        size = _scaled(source, min(short_side, source.short_side))
        rung = _rung(f"{short_side}p", size, milli_bits, rate, source)
        # Where the longest side cuts both short, the next rung has hardly more pixels at fewer
        # bits each; players take the higher bitrate for the better picture.
        least = rungs[-1].bitrate if rungs else 0
        rungs.append(replace(rung, bitrate=max(rung.bitrate, least)))
    if not rungs:
        size = _scaled(source, source.short_side)
        rungs.append(_rung(f"{min(size)}p", size, _LADDER[0][1], rate, source))
    return tuple(rungs)


def _scaled(source: SourceVideo, short_side: int) -> tuple[int, int]:
    """Width and height, even, of the picture scaled to a short side of at most `short_side`."""
    factor = Fraction(short_side, source.short_side)
    long_side = max(source.width, source.height)
    factor = min(factor, Fraction(_LONG_SIDE_MAX, long_side))
    return _even(source.width * factor), _even(source.height * factor)


def _even(length: Fraction) -> int:
    """The even number next to `length`; never more than one above it, never below 2."""
    return max(2, round(length / 2) * 2 if length.denominator != 1 else int(length) // 2 * 2)


def _rung(
    name: str, size: tuple[int, int], milli_bits: int, rate: Fraction, source: SourceVideo
) -> Rung:
    width, height = size
    wanted = int(width * height * rate * milli_bits / 1000)
    worth = source.bitrate * _H264_WORTH_PERCENT.get(source.codec, 100) // 100
    cap = max(worth * _SOURCE_CAP_PERCENT // 100, _BITRATE_FLOOR)
    return Rung(name=name, width=width, height=height, bitrate=max(min(wanted, cap), 8_000))


def passes_for(
    rungs: tuple[Rung, ...], grid: SegmentGrid, policy: VideoPolicy
) -> tuple[tuple[Rung, ...], ...]:
    """Which rungs are encoded together.

    A short video takes one pass. A long one is made playable first at the lowest rung that
    is fit to watch (360p where there is one), then gets the others.
    """
    if len(rungs) == 1 or not grid.is_chunked(policy.chunk_threshold_seconds):
        return (rungs,)
    first = next((rung for rung in rungs if rung.name == "360p"), rungs[0])
    return ((first,), tuple(rung for rung in rungs if rung != first))


def may_copy(
    source: SourceVideo, rung: Rung, grid: SegmentGrid, *, has_watermark: bool, is_clean: bool
) -> bool:
    """True where the source's own packets can serve as this rung, unchanged.

    They must be what we would have made: H.264 4:2:0 of 8 bits in the rung's size, at its
    frame rate and no more than its bitrate, with a closed key frame at every segment's start.
    Nothing of an original that was not scanned (`is_clean` False) is served as it came.
    """
    return (
        is_clean
        and not has_watermark
        and source.codec == "h264"
        and source.container == "mov"
        and source.pixel_format == "yuv420p"
        and (source.coded_width, source.coded_height) == (rung.width, rung.height)
        and (source.width, source.height) == (rung.width, rung.height)
        and source.has_square_pixels
        and not source.is_turned
        and not source.interlaced
        and not source.variable_frame_rate
        and source.starts_at_zero
        and not source.colour.transfer.is_hdr
        and not source.colour.is_wide
        and not source.colour.full_range
        and source.frame_rate == grid.frame_rate
        and source.frame_count == grid.frame_count
        and source.bitrate <= rung.bitrate
        and source.keyframe_period_frames > 0
        and grid.frames_per_segment % source.keyframe_period_frames == 0
    )
