"""Files that must be refused, at least one for each reason there is."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from devstack.clamd import eicar
from domain.media.rejections import RejectionCode
from tests.e2e.media import pictures
from tests.e2e.media.person import SourceFile
from tests.integration.media.video_clips import FAST_H264, ffmpeg, picture, tone

Code = RejectionCode

LIMITS = {
    "VIDEO_DURATION_SECONDS_MAX": "6",
    "AUDIO_DURATION_SECONDS_MAX": "6",
    "VIDEO_STREAMS_MAX": "3",
    "IMAGE_FRAMES_MAX": "20",
    "UPLOAD_SINGLE_PUT_BYTES_MAX": str(5 * 1024 * 1024),
    "UPLOAD_PART_BYTES_MIN": str(5 * 1024 * 1024),
    "UPLOAD_PART_BYTES_MAX": str(5 * 1024 * 1024),
}
"""Under which small files break large rules."""
KNOWN_PICTURE = 7
"""Seed of the picture whose hash is put on the block list."""


@dataclass(frozen=True)
class Refused:
    """A file, why it is refused, and how it is brought about."""

    name: str
    code: RejectionCode
    make: Callable[[Path], SourceFile]
    wish: dict[str, Any] = field(default_factory=dict)
    """What is announced otherwise than the file is."""
    damage: Callable[[bytes], bytes] | None = None
    """What storage makes of the object after it was accepted."""
    is_slow: bool = False
    """Refused for its cost: it meets a limit of one second."""


def _infected(_: Path) -> SourceFile:
    whole = pictures.photo(1)
    return SourceFile("holiday.jpg", whole.content + eicar(), whole.content_type)


def _half(_: Path) -> SourceFile:
    whole = pictures.photo(2).content
    return SourceFile("half.jpg", whole[: len(whole) // 2], "image/jpeg")


def _large_noise(_: Path) -> SourceFile:
    """Too large for one PUT, by which storage would check the hash itself."""
    return SourceFile("noise.jpg", os.urandom(5 * 1024 * 1024 + 1000), "image/jpeg")


def _document(_: Path) -> SourceFile:
    return SourceFile("letter.jpg", b"%PDF-1.7\n%%EOF\n", "image/jpeg")


def _picture_as_video(_: Path) -> SourceFile:
    return SourceFile("clip.mp4", pictures.photo(3).content, "video/mp4")


def _clip(folder: Path, name: str = "clip.mp4", seconds: float = 1) -> Path:
    path = folder / name
    ffmpeg(*picture(seconds, size="160x120"), *tone(seconds), *FAST_H264, path)
    return path


def _video(path: Path, content_type: str = "video/mp4") -> SourceFile:
    return SourceFile(path.name, path.read_bytes(), content_type)


def _unknown_codec(folder: Path) -> SourceFile:
    known = _clip(folder).read_bytes()
    entry = b"avc1\x00\x00\x00\x00"
    assert known.count(entry) == 1
    return SourceFile("clip.mp4", known.replace(entry, b"xxxx\x00\x00\x00\x00"), "video/mp4")


def _header_alone(folder: Path) -> SourceFile:
    path = folder / "cut.mp4"
    ffmpeg(*picture(1, size="160x120"), *FAST_H264, "-movflags", "+faststart", path)
    whole = path.read_bytes()
    return SourceFile("cut.mp4", whole[: whole.index(b"mdat") + 4], "video/mp4")


def _noise_in_a_box(_: Path) -> SourceFile:
    box = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp42"
    return SourceFile("noise.mp4", box + os.urandom(20_000), "video/mp4")


def _many_tracks(folder: Path) -> SourceFile:
    path = folder / "tracks.mkv"
    ffmpeg(*tone(1), *("-map", "0:a") * 4, "-c:a", "flac", path)
    return _video(path, "video/x-matroska")


def _long_video(folder: Path) -> SourceFile:
    return _video(_clip(folder, "long.mp4", seconds=8))


def _long_sound(folder: Path) -> SourceFile:
    path = folder / "long.flac"
    ffmpeg(*tone(8), path)
    return SourceFile("long.flac", path.read_bytes(), "audio/flac")


def _subtitles(folder: Path) -> SourceFile:
    text, path = folder / "text.srt", folder / "text.mp4"
    text.write_text("1\n00:00:00,000 --> 00:00:01,000\nHello\n")
    ffmpeg("-i", text, "-c:s", "mov_text", path)
    return _video(path)


def _known_picture_mirrored(_: Path) -> SourceFile:
    buffer = io.BytesIO()
    known = pictures.scene(KNOWN_PICTURE).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    known.resize((500, 375)).save(buffer, "WEBP", quality=60)
    return SourceFile("new.webp", buffer.getvalue(), "image/webp")


def _known_picture_in_a_video(folder: Path) -> SourceFile:
    still, path = folder / "still.png", folder / "slides.mp4"
    pictures.scene(KNOWN_PICTURE).save(still)
    ffmpeg(
        *("-loop", "1", "-framerate", "10", "-t", "2", "-i", still),
        *("-vf", "scale=320:240", *FAST_H264, path),
    )
    return _video(path)


CASES = (
    Refused("malware in a picture", Code.INFECTED, _infected),
    Refused(
        "an object that lost its end", Code.SIZE_MISMATCH, _half, damage=lambda sent: sent[:-1]
    ),
    Refused("an object that lost its bytes", Code.EMPTY_FILE, _half, damage=lambda _: b""),
    Refused("parts of another file", Code.HASH_MISMATCH, _large_noise, wish={"sha256": "ab" * 32}),
    Refused("a picture announced as a video", Code.TYPE_MISMATCH, _picture_as_video),
    Refused("a document", Code.UNSUPPORTED_TYPE, _document),
    Refused("a video of an unknown codec", Code.UNSUPPORTED_CODEC, _unknown_codec),
    Refused("half a picture", Code.CORRUPT_MEDIA, _half),
    Refused("the header of a video", Code.CORRUPT_MEDIA, _header_alone),
    Refused("noise behind a video's first box", Code.CORRUPT_MEDIA, _noise_in_a_box),
    Refused("a decompression bomb", Code.DECOMPRESSION_BOMB, lambda _: pictures.bomb()),
    Refused("an endless animation", Code.TOO_MANY_FRAMES, lambda _: pictures.flicker(21)),
    Refused("a file of many tracks", Code.TOO_MANY_STREAMS, _many_tracks),
    Refused("a long video", Code.TOO_LONG, _long_video),
    Refused("a long recording", Code.TOO_LONG, _long_sound),
    Refused(
        "an animation that is too much work",
        Code.TOO_EXPENSIVE,
        lambda _: pictures.flicker(20, side=2000),
        is_slow=True,
    ),
    Refused("subtitles alone", Code.NO_MEDIA_STREAMS, _subtitles),
    Refused("a known picture, mirrored", Code.BLOCKED_CONTENT, _known_picture_mirrored),
    Refused("a video of a known picture", Code.BLOCKED_CONTENT, _known_picture_in_a_video),
)
