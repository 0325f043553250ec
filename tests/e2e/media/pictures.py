"""Pictures to upload, each made for what a test looks at; and reading what came of them."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pyvips
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from tests.e2e.media.person import SourceFile

Pixels = NDArray[np.int16]

SECRET = "Hafenstrasse 17"
"""Stands in every kind of metadata of the camera's picture, and must stand nowhere later."""
BRICK = (235, 20, 15)
"""Of the camera's picture at its middle, in sRGB."""
CORNERS = {
    "top left": (250, 240, 60),
    "top right": (20, 130, 60),
    "bottom left": (30, 60, 170),
    "bottom right": (120, 120, 120),
}
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    f'xmlns:dc="http://purl.org/dc/elements/1.1/" dc:source="{SECRET}"/></rdf:RDF></x:xmpmeta>'
)


def pixels_of(content: bytes, *, mode: str = "RGB") -> Pixels:
    """Decoded as a browser shows it, signed so that differences are what they seem."""
    with Image.open(io.BytesIO(content)) as picture:
        return np.asarray(picture.convert(mode)).astype(np.int16)


def detail(shown: Pixels) -> float:
    """Mean step between neighbours two rows and two columns apart, what an eye reads by."""
    grey = shown.mean(axis=2)
    bent = (
        grey[1:-1, 1:-1] * 4 - grey[:-2, 1:-1] - grey[2:, 1:-1] - grey[1:-1, :-2] - grey[1:-1, 2:]
    )
    return float(np.abs(bent).mean())


def upright_scene(width: int, height: int) -> Image.Image:
    """A known colour at each corner and in the middle."""
    scene = Image.new("RGB", (width, height), BRICK)
    draw = ImageDraw.Draw(scene)
    side = width // 8
    for place, colour in CORNERS.items():
        left = 0 if "left" in place else width - side
        top = 0 if "top" in place else height - side
        draw.rectangle((left, top, left + side, top + side), fill=colour)
    return scene


def from_a_camera(width: int = 1600, height: int = 1200) -> SourceFile:
    """Stored on its side (EXIF orientation 6), in Display P3, with EXIF, GPS, XMP, a comment."""
    scene = upright_scene(width, height)
    exif = Image.Exif()
    exif[0x010E] = exif[0x013B] = SECRET
    exif[0x0112] = 6
    gps = exif.get_ifd(0x8825)
    gps[1], gps[2], gps[3], gps[4] = "N", (52.0, 31.0, 12.0), "E", (13.0, 24.0, 18.0)
    lying = pyvips.Image.new_from_array(np.asarray(scene.transpose(Image.Transpose.ROTATE_90)))
    wide = lying.copy(interpretation="srgb").icc_transform("p3", input_profile="srgb")
    profile = wide.get("icc-profile-data")
    stored = Image.frombytes("RGB", (wide.width, wide.height), wide.write_to_memory())
    buffer = io.BytesIO()
    stored.save(
        buffer,
        "JPEG",
        quality=97,
        subsampling=0,
        exif=exif,
        icc_profile=profile,
        xmp=XMP.encode(),
        comment=SECRET.encode(),
    )
    return SourceFile("street.jpg", buffer.getvalue(), "image/jpeg")


def flat(shade: int, *, width: int = 700, height: int = 500) -> SourceFile:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (shade, shade, shade)).save(buffer, "PNG")
    return SourceFile(f"flat-{shade}.png", buffer.getvalue(), "image/png")


def glass(width: int = 400, height: int = 300) -> SourceFile:
    """See-through on the left, half see-through in the middle, solid red on the right."""
    picture = Image.new("RGBA", (width, height), (220, 20, 20, 255))
    third = width // 3
    picture.paste((0, 200, 0, 0), (0, 0, third, height))
    picture.paste((20, 20, 220, 128), (third, 0, 2 * third, height))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return SourceFile("glass.png", buffer.getvalue(), "image/png")


def letter(width: int = 1200, height: int = 800) -> SourceFile:
    """Large words that must not be read in the blur."""
    picture = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(220)
    for line, text in enumerate(("MY REAL", "NAME IS", "ALEX")):
        draw.text((60, 20 + 250 * line), text, fill="black", font=font)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=92)
    return SourceFile("letter.jpg", buffer.getvalue(), "image/jpeg")


def scene(seed: int, *, width: int = 640, height: int = 480) -> Image.Image:
    """Shapes enough for a perceptual hash of good quality; another one for each seed."""
    random = np.random.default_rng(seed)
    picture = Image.new("RGB", (width, height), tuple(random.integers(0, 255, 3).tolist()))
    draw = ImageDraw.Draw(picture)
    for _ in range(40):
        x, y = random.integers(0, width), random.integers(0, height)
        radius = int(random.integers(10, 120))
        box = (int(x) - radius, int(y) - radius, int(x) + radius, int(y) + radius)
        draw.ellipse(box, fill=tuple(random.integers(0, 255, 3).tolist()))
    return picture


def photo(seed: int, **size: int) -> SourceFile:
    buffer = io.BytesIO()
    scene(seed, **size).save(buffer, "JPEG", quality=92)
    return SourceFile(f"photo-{seed}.jpg", buffer.getvalue(), "image/jpeg")


def flicker(frames: int, *, side: int = 32) -> SourceFile:
    """A GIF of that many frames, all different."""
    pictures = [
        Image.new("RGB", (side, side), (number * 9 % 256, number % 256, 0))
        for number in range(frames)
    ]
    buffer = io.BytesIO()
    pictures[0].save(buffer, "GIF", save_all=True, append_images=pictures[1:], duration=40)
    return SourceFile("flicker.gif", buffer.getvalue(), "image/gif")


def bomb(side: int = 12_000) -> SourceFile:
    """A valid PNG of a few KB that unpacks to 144 million pixels."""
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    packed = zlib.compress((b"\0" + bytes(-(-side // 8))) * side, 9)
    parts = ((b"IHDR", header), (b"IDAT", packed), (b"IEND", b""))
    chunks = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
    return SourceFile("poster.png", b"\x89PNG\r\n\x1a\n" + chunks, "image/png")


def save(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path
