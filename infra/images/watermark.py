"""The creator's handle, laid over a corner: light letters with a dark rim and shadow."""

from __future__ import annotations

from functools import lru_cache

import pyvips
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from domain.media.images import WatermarkPolicy

LETTER_HEIGHT_MIN = 12
WIDTH_SHARE_MAX = 0.5
"""Of the picture's width; a long handle on a narrow picture gets smaller letters."""
_RIM_SHARE = 0.08
_SHADOW_SHARE = 0.12
_MARGIN_SHARE = 0.7


def watermarked(image: pyvips.Image, text: str, policy: WatermarkPolicy) -> pyvips.Image:
    """`image` with the handle in its corner; only that corner is touched."""
    mark = _mark_for(image.width, image.height, text, policy)
    width, height = min(mark.width, image.width), min(mark.height, image.height)
    left = 0 if policy.corner.endswith("left") else image.width - width
    top = 0 if policy.corner.startswith("top") else image.height - height
    corner = image.crop(left, top, width, height)
    covered = corner.composite2(mark.crop(0, 0, width, height), "over").cast("uchar")
    if not image.hasalpha():
        covered = covered.extract_band(0, n=3)
    return image.insert(covered, left, top)


@lru_cache(maxsize=8)
def _mark_for(width: int, height: int, text: str, policy: WatermarkPolicy) -> pyvips.Image:
    mark = drawn_mark(text, policy, width=width, height=height)
    return pyvips.Image.new_from_memory(mark.tobytes(), mark.width, mark.height, 4, "uchar").copy(
        interpretation="srgb"
    )


def drawn_mark(text: str, policy: WatermarkPolicy, *, width: int, height: int) -> Image.Image:
    """The letters with their margins (RGBA), as large as the policy asks of a picture of this
    size. Videos lay the same mark over their frames."""
    letters = max(LETTER_HEIGHT_MIN, round(height * policy.height_bps / 10_000))
    font = ImageFont.load_default(letters)
    length = font.getlength(text)
    if length > width * WIDTH_SHARE_MAX:
        letters = max(LETTER_HEIGHT_MIN, int(letters * width * WIDTH_SHARE_MAX / length))
        font = ImageFont.load_default(letters)
    rim = max(1, round(letters * _RIM_SHARE))
    margin = round(letters * _MARGIN_SHARE)
    left, top, right, bottom = font.getbbox(text, stroke_width=rim)
    size = round(right - left) + 2 * margin, round(bottom - top) + 2 * margin
    place = (margin - left, margin - top)

    dark = Image.new("L", size)
    ImageDraw.Draw(dark).text(place, text, fill=255, font=font, stroke_width=rim)
    shadow = dark.filter(ImageFilter.GaussianBlur(max(1.0, letters * _SHADOW_SHARE)))
    light = Image.new("L", size)
    ImageDraw.Draw(light).text(place, text, fill=255, font=font)

    opacity = policy.opacity_bps / 10_000
    mark = Image.new("RGBA", size)
    for mask, shade, strength in ((shadow, 0, 0.6), (dark, 0, 0.7), (light, 255, 1.0)):
        layer = Image.new("RGBA", size, (shade, shade, shade, 0))
        layer.putalpha(mask.point(lambda value, by=strength: round(value * by)))
        mark = Image.alpha_composite(mark, layer)
    mark.putalpha(mark.getchannel("A").point(lambda value: round(value * opacity)))
    return mark
