"""Sizes, colours and orientation of pixels; always sRGB with 8 bits in the end."""

from __future__ import annotations

import contextlib

import pyvips

from infra.images.loading import Opened

WHITE = [255, 255, 255]


def resized(image: pyvips.Image, width: int, height: int) -> pyvips.Image:
    """Scale to exactly this size, never up. See-through pixels lend no colour to others."""
    if (image.width, image.height) == (width, height):
        return image
    across, down = width / image.width, height / image.height
    if not image.hasalpha():
        return image.resize(across, vscale=down)
    scaled = image.premultiply().resize(across, vscale=down)
    return scaled.unpremultiply().cast(image.format)


def to_srgb(image: pyvips.Image) -> pyvips.Image:
    """Three or four bands of 8 bits in sRGB, perceptual intent, whatever came in.

    CMYK without a profile is read by the one that libvips carries.
    """
    is_cmyk = image.interpretation == "cmyk"
    if image.get_typeof("icc-profile-data") or is_cmyk:
        # A profile that can't be read says nothing about the colours: then assume the usual.
        with contextlib.suppress(pyvips.Error):
            image = image.icc_transform(
                "srgb",
                embedded=True,
                intent="perceptual",
                input_profile="cmyk" if is_cmyk else "srgb",
                depth=8,
            )
    if image.interpretation != "srgb":
        image = image.colourspace("srgb")
    if image.format != "uchar":
        image = image.cast("uchar")
    if image.bands > 4:
        image = image.extract_band(0, n=4 if image.hasalpha() else 3)
    return image


def upright(image: pyvips.Image, orientation: int) -> pyvips.Image:
    """Turn and mirror as EXIF orientation `orientation` asks (CIPA DC-008 §4.6.4)."""
    turned = {
        3: image.rot180,
        5: image.rot90,
        6: image.rot90,
        7: image.rot270,
        8: image.rot270,
    }.get(orientation)
    if turned is not None:
        image = turned()
    if orientation == 4:
        return image.flipver()
    return image.fliphor() if orientation in (2, 5, 7) else image


def frames_at(opened: Opened, width: int, height: int) -> list[pyvips.Image]:
    """Every frame decoded, upright, in sRGB and at the size wanted, held in memory.

    One fully opaque alpha channel after another is dropped where all of them are.
    """
    stored = (height, width) if opened.orientation >= 5 else (width, height)
    frames = []
    for frame in opened.decode(*stored):
        small = resized(frame, *stored).copy_memory()
        frames.append(upright(to_srgb(small), opened.orientation).copy_memory())
    if all(frame.hasalpha() and frame[3].min() == 255 for frame in frames):
        frames = [frame.extract_band(0, n=3).copy_memory() for frame in frames]
    return frames


def opaque(image: pyvips.Image) -> pyvips.Image:
    """On white where it is see-through: dark lettering is the usual content of such files."""
    return image.flatten(background=WHITE) if image.hasalpha() else image
