"""ThumbHash: about 25 bytes that stand for a picture until it has loaded.

Written from the format's published description (evanw.github.io/thumbhash): the picture in
luminance, yellow-blue, red-green and alpha, each as the lowest terms of a cosine transform,
four bits a term.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, floor, pi

SIDE_MAX = 32
"""Larger pictures add time and nothing to terms this low."""


@dataclass(frozen=True)
class _Terms:
    constant: float
    varying: tuple[float, ...]
    """Each from 0 to 1."""
    scale: float


def thumbhash(rgba: bytes, *, width: int, height: int) -> bytes:
    """The hash of `width` × `height` pixels of four bytes each, not premultiplied."""
    lightness, yellow, red, alpha, has_alpha = _channels(rgba)
    limit = 5 if has_alpha else 7
    longest = max(width, height)
    across = max(1, _round(limit * width / longest))
    down = max(1, _round(limit * height / longest))
    light = _terms(lightness, width, height, max(3, across), max(3, down))
    yellows = _terms(yellow, width, height, 3, 3)
    reds = _terms(red, width, height, 3, 3)
    is_landscape = width > height
    header = (
        _round(63 * light.constant)
        | _round(31.5 + 31.5 * yellows.constant) << 6
        | _round(31.5 + 31.5 * reds.constant) << 12
        | _round(31 * light.scale) << 18
        | has_alpha << 23
    )
    shape = (
        (down if is_landscape else across)
        | _round(63 * yellows.scale) << 3
        | _round(63 * reds.scale) << 9
        | is_landscape << 15
    )
    out = bytearray(header.to_bytes(3, "little") + shape.to_bytes(2, "little"))
    varying = [*light.varying, *yellows.varying, *reds.varying]
    if has_alpha:
        opacity = _terms(alpha, width, height, 5, 5)
        out.append(_round(15 * opacity.constant) | _round(15 * opacity.scale) << 4)
        varying = [*light.varying, *yellows.varying, *reds.varying, *opacity.varying]
    nibbles = [_round(15 * term) for term in varying]
    if len(nibbles) % 2:
        nibbles.append(0)
    out += bytes(low | high << 4 for low, high in zip(nibbles[::2], nibbles[1::2], strict=True))
    return bytes(out)


def _channels(
    rgba: bytes,
) -> tuple[list[float], list[float], list[float], list[float], bool]:
    """Lightness, yellow-blue, red-green and alpha; see-through pixels take the mean colour."""
    alpha = [value / 255 for value in rgba[3::4]]
    weight = sum(alpha)
    colours = [[value / 255 for value in rgba[band::4]] for band in range(3)]
    if weight < len(alpha):
        for colour in colours:
            mean = sum(c * a for c, a in zip(colour, alpha, strict=True)) / (weight or 1)
            colour[:] = [mean * (1 - a) + a * c for c, a in zip(colour, alpha, strict=True)]
    r, g, b = colours
    return (
        [(x + y + z) / 3 for x, y, z in zip(r, g, b, strict=True)],
        [(x + y) / 2 - z for x, y, z in zip(r, g, b, strict=True)],
        [x - y for x, y in zip(r, g, strict=True)],
        alpha,
        weight < len(alpha),
    )


def _terms(channel: Sequence[float], width: int, height: int, across: int, down: int) -> _Terms:
    """The terms of the triangle `x / across + y / down < 1`, row by row."""
    waves_x = [[cos(pi / width * n * (x + 0.5)) for x in range(width)] for n in range(across)]
    waves_y = [[cos(pi / height * n * (y + 0.5)) for y in range(height)] for n in range(down)]
    rows = [channel[y * width : (y + 1) * width] for y in range(height)]
    constant, varying = 0.0, []
    # A row's sums are needed by every vertical wave: make them once.
    sums = [
        [sum(v * c for v, c in zip(row, wave, strict=True)) for row in rows] for wave in waves_x
    ]
    for n_down in range(down):
        n_across = 0
        while n_across * down < across * (down - n_down):
            total = sum(s * c for s, c in zip(sums[n_across], waves_y[n_down], strict=True)) / (
                width * height
            )
            if n_across or n_down:
                varying.append(total)
            else:
                constant = total
            n_across += 1
    scale = max((abs(term) for term in varying), default=0.0)
    if scale == 0:
        return _Terms(constant, tuple(0.0 for _ in varying), 0.0)
    return _Terms(constant, tuple(0.5 + 0.5 / scale * term for term in varying), scale)


def _round(value: float) -> int:
    """Halves up, as the reference does it; Python's own rounding goes to even."""
    return floor(value + 0.5)
