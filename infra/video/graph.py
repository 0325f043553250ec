"""The filter graphs: time first, then size and colour, then the watermark, then the rungs.

Time comes first so that frames which nobody sees are never scaled; the picture is converted
once, to the largest size that is needed, and the smaller rungs are made from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from domain.media.video import Colour, SegmentGrid, SourceVideo
from infra.video.command import OWN_STILLS, MediaTools, guarded_input

Corner = Literal["top-left", "top-right", "bottom-left", "bottom-right"]

_EXACT_SEEK = ("mov", "matroska")
"""Demuxers with an index; the others may land after the frame they were asked for."""
_SEEK_MARGIN_SECONDS = 12
_TIE_BREAK = Fraction(1, 16)
"""Of a frame: keeps times that lie half-way between two frames (120 → 60) off the edge, where
a chunk and the whole video could round differently."""
_MARK_HEIGHT_MIN = 28
"""Letters of about 12 pixels; smaller ones can't be read."""
_SWSCALE_MATRIX = {
    "smpte170m": "bt601",
    "bt470bg": "bt601",
    "fcc": "fcc",
    "smpte240m": "smpte240m",
    "bt2020nc": "bt2020",
    "bt2020c": "bt2020",
}
_ZSCALE_MATRIX = frozenset({"smpte170m", "bt470bg", "fcc", "smpte240m", "bt709", "bt2020nc"})
_ZSCALE_PRIMARIES = frozenset({"bt709", "smpte170m", "bt470bg", "bt2020", "smpte431", "smpte432"})


@dataclass(frozen=True)
class Watermark:
    """A PNG with an alpha channel, laid over a corner at a height relative to the picture's."""

    image: Path
    corner: Corner = "bottom-right"
    height_bps: int = 350
    """Height of the whole image, margins included, in basis points of the picture's. It gets
    smaller where it would cover more than half of a narrow picture's width."""


def video_input(
    path: Path, source: SourceVideo, tools: MediaTools, *, at_seconds: Fraction = Fraction(0)
) -> Any:
    """The source's picture stream, from the key frame at or before `at_seconds` on."""
    options: dict[str, Any] = {"reinit_filter": 0}
    if at_seconds > 0:
        margin = Fraction(0 if source.container in _EXACT_SEEK else _SEEK_MARGIN_SECONDS)
        # Frames from the key frame on are wanted: the rate filter picks the one that is on
        # screen at `at_seconds`, exactly as it would without seeking.
        options |= {"ss": f"{max(float(at_seconds - margin), 0):.6f}", "noaccurate_seek": None}
    return guarded_input(path, tools, **options)[str(source.stream_index)]


def timed(
    stream: Any, source: SourceVideo, grid: SegmentGrid, *, frames: int, at_seconds: Fraction
) -> Any:
    """Exactly `frames` frames at the grid's constant rate, from `at_seconds` on.

    Missing frames are repeats of the one before, at the start of the one after, which is what
    a player shows.
    """
    if source.interlaced:
        stream = stream.filter("bwdif", mode="send_frame", deint="interlaced")
    origin = at_seconds - _TIE_BREAK / grid.frame_rate
    shift_us = -source.start_us - round(origin * 1_000_000)
    rate = f"{grid.frame_rate.numerator}/{grid.frame_rate.denominator}"
    return (
        stream.filter("settb", "AVTB")
        .filter("setpts", f"PTS+({shift_us})")
        .filter("fps", fps=rate, start_time=0, round="near")
        .filter("tpad", stop=-1, stop_mode="clone")
        .filter("trim", end_frame=frames)
    )


def converted(stream: Any, colour: Colour, *, width: int, height: int) -> Any:
    """The picture as 8-bit BT.709 4:2:0 of square pixels in the given size.

    HDR is tone-mapped, after scaling: the chain works on floats, and fewer of them.
    """
    if colour.transfer.is_hdr:
        stream = (
            _zscaled(stream, colour, width, height, t="linear", npl=100)
            .filter("format", "gbrpf32le")
            .filter("zscale", p="bt709")
            .filter("tonemap", tonemap="hable", desat=0)
            .filter("zscale", t="bt709", m="bt709", r="tv")
        )
    elif colour.is_wide:
        stream = (
            _zscaled(stream, colour, width, height, t="linear")
            .filter("format", "gbrpf32le")
            .filter("zscale", p="bt709", t="bt709", m="bt709", r="tv")
        )
    else:
        stream = stream.filter(
            "scale",
            width,
            height,
            in_color_matrix=_SWSCALE_MATRIX.get(colour.matrix, "bt709"),
            out_color_matrix="bt709",
            in_range="pc" if colour.full_range else "tv",
            out_range="tv",
        )
    return stream.filter("format", "yuv420p").filter("setsar", 1)


def _zscaled(stream: Any, colour: Colour, width: int, height: int, **options: Any) -> Any:
    """Scaled by zimg, which refuses to guess: each property of the input is said."""
    transfer = colour.transfer.value if colour.transfer.is_hdr else "bt709"
    return stream.filter(
        "zscale",
        width,
        height,
        tin=transfer,
        pin=colour.primaries if colour.primaries in _ZSCALE_PRIMARIES else "bt2020",
        min=colour.matrix if colour.matrix in _ZSCALE_MATRIX else "bt2020nc",
        rin="pc" if colour.full_range else "tv",
        **options,
    )


def marks_for(
    watermark: Watermark | None, sizes: Sequence[tuple[int, int]], tools: MediaTools
) -> list[Any]:
    """The watermark scaled for pictures of each size; empty where there is none."""
    if watermark is None:
        return []
    image = guarded_input(watermark.image, tools, formats=OWN_STILLS)["v"]
    return [
        part.filter(
            "scale",
            max(4, width // 2),
            max(_MARK_HEIGHT_MIN, round(height * watermark.height_bps / 10_000)),
            force_original_aspect_ratio="decrease",
        )
        for part, (width, height) in zip(split(image, len(sizes)), sizes, strict=True)
    ]


def marked(stream: Any, mark: Any, corner: Corner) -> Any:
    """The picture with a scaled watermark in its corner; the image brings its own margin."""
    vertical, horizontal = corner.split("-")
    return stream.overlay(
        mark,
        x="0" if horizontal == "left" else "W-w",
        y="0" if vertical == "top" else "H-h",
        format="yuv420",
        eof_action="repeat",
    )


def shrunk(stream: Any, *, width: int, height: int) -> Any:
    """A smaller size of a picture that is converted already."""
    return stream.filter("scale", width, height).filter("setsar", 1)


def as_jpeg_samples(stream: Any, *, width: int, height: int) -> Any:
    """A converted picture as JPEG stores it: full range and BT.601, which JFIF fixes."""
    return stream.filter(
        "scale",
        width,
        height,
        in_color_matrix="bt709",
        out_color_matrix="bt601",
        in_range="tv",
        out_range="pc",
    ).filter("format", "yuvj420p")


def split(stream: Any, count: int) -> list[Any]:
    """The stream `count` times over."""
    if count == 1:
        return [stream]
    node = stream.filter_multi_output("split", count)
    return [node.stream(index) for index in range(count)]


def split_audio(stream: Any, count: int) -> list[Any]:
    """The sound `count` times over."""
    if count == 1:
        return [stream]
    node = stream.filter_multi_output("asplit", count)
    return [node.stream(index) for index in range(count)]
