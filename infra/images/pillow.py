"""Pixels from Pillow to libvips and back."""

from __future__ import annotations

import pyvips
from PIL import Image

_DIRECT = {
    "L": (1, "uchar", "b-w"),
    "LA": (2, "uchar", "b-w"),
    "RGB": (3, "uchar", "srgb"),
    "RGBA": (4, "uchar", "srgb"),
    "CMYK": (4, "uchar", "cmyk"),
    "I;16": (1, "ushort", "grey16"),
}


def vips_from_pillow(picture: Image.Image) -> pyvips.Image:
    """A copy of a loaded picture, with its ICC profile."""
    if picture.mode not in _DIRECT:
        has_alpha = picture.mode in ("PA", "La", "RGBa") or "transparency" in picture.info
        picture = picture.convert("RGBA" if has_alpha else "RGB")
    bands, form, interpretation = _DIRECT[picture.mode]
    pixels = pyvips.Image.new_from_memory(
        picture.tobytes(), picture.width, picture.height, bands, form
    ).copy(interpretation=interpretation)
    profile = picture.info.get("icc_profile")
    if profile:
        pixels = pixels.copy()
        pixels.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    return pixels


def pillow_from_vips(image: pyvips.Image) -> Image.Image:
    """A copy of an sRGB image of 8 bits, with or without alpha."""
    mode = "RGBA" if image.bands == 4 else "RGB"
    size = image.width, image.height
    return Image.frombuffer(mode, size, image.write_to_memory(), "raw", mode, 0, 1)
