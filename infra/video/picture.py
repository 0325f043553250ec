"""Reads facts of a picture out of ffprobe's report: its upright size, colours and rate."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

from domain.media.video import Colour, Transfer

_ASPECT_MAX = 8
"""Pixels more stretched than this are a broken header, not a format."""
_HD_LINES = 720
_IDENTITY = (65536, 0, 0, 65536)


def rate_of(text: object) -> Fraction | None:
    """A rate such as `30000/1001`; None for `0/0` and for time bases posing as rates."""
    try:
        rate = Fraction(str(text))
    except (ValueError, ZeroDivisionError):
        return None
    return rate if 0 < rate <= 1000 else None


def promised_ms(report: dict[str, Any]) -> int:
    """The duration a stream's header claims; 0 where it claims none."""
    try:
        return round(float(report.get("duration") or 0) * 1000)
    except ValueError:
        return 0


def bit_depth_of(pixel_format: str) -> int:
    """Bits per sample, from ffmpeg's name of the format (`yuv420p10le`)."""
    found = re.search(r"p(\d{1,2})(?:le|be)$", pixel_format)
    return int(found.group(1)) if found else 8


def upright_size(report: dict[str, Any], frame: dict[str, Any]) -> tuple[int, int]:
    """Width and height with square pixels, after the display matrix."""
    width, height = int(frame["width"]), int(frame["height"])
    width = max(1, round(width * sample_aspect(report, frame)))
    return (height, width) if _swaps_sides(report) else (width, height)


def sample_aspect(report: dict[str, Any], frame: dict[str, Any]) -> Fraction:
    """Width of a pixel in its heights; 1 where unknown or absurd."""
    for text in (frame.get("sample_aspect_ratio"), report.get("sample_aspect_ratio")):
        if not text or text in ("N/A", "0:1"):
            continue
        try:
            aspect = Fraction(str(text).replace(":", "/"))
        except (ValueError, ZeroDivisionError):
            continue
        if Fraction(1, _ASPECT_MAX) <= aspect <= _ASPECT_MAX:
            return aspect
    return Fraction(1)


def _display_matrix(report: dict[str, Any]) -> dict[str, Any] | None:
    entries = report.get("side_data_list", [])
    return next((entry for entry in entries if "displaymatrix" in entry), None)


def is_turned(report: dict[str, Any]) -> bool:
    """A display matrix rotates or mirrors the stored picture."""
    matrix = _display_matrix(report)
    if matrix is None:
        return False
    # Lines read "00000000:  a  b  u"; the first two of the first two turn the picture.
    rows = [
        line.split(":")[1].split()
        for line in str(matrix["displaymatrix"]).splitlines()
        if ":" in line
    ]
    try:
        turn = tuple(int(value) for row in rows[:2] for value in row[:2])
    except ValueError:
        return True
    return turn != _IDENTITY


def _swaps_sides(report: dict[str, Any]) -> bool:
    matrix = _display_matrix(report)
    rotation = float((matrix or {}).get("rotation") or 0)
    return abs(abs(rotation) % 180 - 90) <= 1


def colour_of(report: dict[str, Any], frame: dict[str, Any]) -> Colour:
    """How to read the samples; what isn't said is taken as players take it.

    Unmarked pictures of standard definition are BT.601 and larger ones BT.709; unmarked HDR
    is BT.2020.
    """

    def said(name: str) -> str | None:
        for where in (frame, report):
            value = where.get(name)
            if value not in (None, "unknown", "unspecified", "reserved"):
                return str(value)
        return None

    code = said("color_transfer")
    transfer = Transfer(code) if code in (Transfer.PQ, Transfer.HLG) else Transfer.SDR
    lines = min(int(frame["width"]), int(frame["height"]))
    default = "bt709" if lines >= _HD_LINES else "smpte170m"
    pixel_format = str(frame.get("pix_fmt") or "")
    return Colour(
        matrix=said("color_space") or ("bt2020nc" if transfer.is_hdr else default),
        primaries=said("color_primaries") or ("bt2020" if transfer.is_hdr else "bt709"),
        transfer=transfer,
        full_range=said("color_range") == "pc" or pixel_format.startswith("yuvj"),
    )
