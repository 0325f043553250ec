"""The small ones: thumbnail, blur preview, ThumbHash."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import pyvips

from domain.media.thumbhash import SIDE_MAX, thumbhash
from infra.images.pixels import opaque, resized

BLUR_SOURCE_WIDTH = 14
"""The preview holds no more detail than this many pixels across: not even a sharpener
brings back a face or a word."""
BLUR_SIGMA = 1.2


def thumbnail(levels: Sequence[pyvips.Image], side: int) -> pyvips.Image:
    """A square around what draws the eye, from the smallest of `levels` that is enough."""
    source = _smallest(levels, side)
    scale = side / min(source.width, source.height)
    width, height = max(side, round(source.width * scale)), max(side, round(source.height * scale))
    return (
        resized(source, width, height).copy_memory().smartcrop(side, side, interesting="attention")
    )


def blur(levels: Sequence[pyvips.Image], width: int, height: int) -> pyvips.Image:
    """A wash of colours of this size: shrunk to a few pixels, blurred, and enlarged again."""
    source = opaque(levels[-1])
    scale = min(1.0, BLUR_SOURCE_WIDTH / max(width, 1))
    few = resized(source, max(1, round(width * scale)), max(1, round(height * scale)))
    washed = few.copy_memory().gaussblur(BLUR_SIGMA)
    large = washed.resize(width / few.width, vscale=height / few.height, kernel="cubic")
    return large.cast("uchar").copy_memory()


def thumbhash_of(levels: Sequence[pyvips.Image]) -> str:
    """Base64 of the hash."""
    source = levels[-1]
    scale = min(1.0, SIDE_MAX / max(source.width, source.height))
    small = resized(
        source, max(1, round(source.width * scale)), max(1, round(source.height * scale))
    )
    rgba = small if small.hasalpha() else small.bandjoin(255)
    pixels = rgba.cast("uchar").write_to_memory()
    found = thumbhash(bytes(pixels), width=small.width, height=small.height)
    return base64.b64encode(found).decode()


def sample(levels: Sequence[pyvips.Image], side: int) -> pyvips.Image:
    """The smallest level whose longer side has `side`, for those who judge the picture."""
    enough = [level for level in levels if max(level.width, level.height) >= side]
    return opaque(enough[-1] if enough else levels[0])


def _smallest(levels: Sequence[pyvips.Image], side: int) -> pyvips.Image:
    enough = [level for level in levels if min(level.width, level.height) >= side]
    return enough[-1] if enough else levels[0]
