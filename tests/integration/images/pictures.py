"""Pictures made by code, and a way to look at what became of them."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyvips
from PIL import Image, ImageDraw, ImageFont

Rgb = tuple[int, int, int]

RED, GREEN, BLUE, GREY = (210, 40, 40), (40, 160, 60), (40, 70, 200), (128, 128, 128)


def scene(width: int, height: int, *, detail: int = 40) -> Image.Image:
    """A smooth colourful picture with some edges: compresses as a photo does."""
    picture = Image.linear_gradient("L").resize((width, height))
    other = Image.radial_gradient("L").resize((width, height))
    merged = Image.merge("RGB", (picture, other, picture.transpose(Image.Transpose.ROTATE_180)))
    draw = ImageDraw.Draw(merged)
    for n in range(detail):
        x, y = n * 97 % width, n * 61 % height
        size = max(2, min(width, height) // 12)
        draw.ellipse((x, y, x + size, y + size), fill=(n * 37 % 256, n * 83 % 256, n * 59 % 256))
    return merged


def corners(width: int, height: int) -> Image.Image:
    """Red, green, blue and grey from the top left, clockwise: shows how a picture lies."""
    picture = Image.new("RGB", (width, height), GREY)
    half_x, half_y = width // 2, height // 2
    picture.paste(RED, (0, 0, half_x, half_y))
    picture.paste(GREEN, (half_x, 0, width, half_y))
    picture.paste(BLUE, (half_x, half_y, width, height))
    return picture


def opened(path: Path) -> Image.Image:
    """The first frame, loaded; the file is closed again."""
    with Image.open(path) as picture:
        picture.load()
        return picture.copy()


def corner_colours(path: Path) -> list[Rgb]:
    """Colours in the middle of each corner, from the top left, clockwise."""
    picture = opened(path).convert("RGB")
    x, y = picture.width // 4, picture.height // 4
    places = ((x, y), (3 * x, y), (3 * x, 3 * y), (x, 3 * y))
    return [_rgb(picture.getpixel(place)) for place in places]


def colour_at(path: Path, x: float = 0.5, y: float = 0.5) -> tuple[int, ...]:
    """The colour at a place given as shares of width and height, alpha too if there is one."""
    picture = opened(path)
    value = picture.getpixel((int(x * picture.width), int(y * picture.height)))
    assert isinstance(value, tuple)
    return tuple(int(part) for part in value)


def _rgb(value: float | tuple[int, ...] | None) -> Rgb:
    assert isinstance(value, tuple)
    return int(value[0]), int(value[1]), int(value[2])


def is_near(found: tuple[int, ...], wanted: tuple[int, ...], by: int = 6) -> bool:
    return all(abs(a - b) <= by for a, b in zip(found, wanted, strict=True))


def lettering(text: str, width: int, height: int, size: int) -> Image.Image:
    """Black letters on white, filling the picture line by line."""
    picture = Image.new("RGB", (width, height), (255, 255, 255))
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(size)
    for y in range(0, height, round(size * 1.3)):
        draw.text((size // 3, y), text, fill=(0, 0, 0), font=font)
    return picture


def with_profile(path: Path, colour: Rgb, profile: str, **save: Any) -> Path:
    """A plain picture of an sRGB colour, stored in another colour space with its profile."""
    plain = (pyvips.Image.black(400, 300, bands=3) + list(colour)).cast("uchar")
    plain = plain.copy(interpretation="srgb")
    plain.icc_transform(profile, intent="perceptual").write_to_file(str(path), **save)
    return path


def animation(
    path: Path, *, size: tuple[int, int], delays_ms: list[int], loops: int, **save: Any
) -> Path:
    """Frames that differ all over, so that none can be merged into another."""
    shades = [
        Image.new("RGB", size, (40 + 50 * n % 200, 200 - 40 * n % 160, 90))
        for n in range(len(delays_ms))
    ]
    shades[0].save(
        path, save_all=True, append_images=shades[1:], duration=delays_ms, loop=loops, **save
    )
    return path


def webp_frames(path: Path) -> tuple[int, list[int], int]:
    """Frames, delays and loop count of a WebP."""
    strip = pyvips.Image.webpload(str(path), n=-1)
    frames = int(strip.get("n-pages"))
    return frames, [int(d) for d in strip.get("delay")][:frames], int(strip.get("loop"))


def bytes_of(save: Callable[[io.BytesIO], object]) -> bytes:
    buffer = io.BytesIO()
    save(buffer)
    return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and has next to no pixels."""
    small = bytes_of(lambda file: Image.new("L", (1, 1)).save(file, "PNG"))
    body = b"IHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + small[24:29]
    return small[:8] + small[8:12] + body + zlib.crc32(body).to_bytes(4, "big") + small[33:]
