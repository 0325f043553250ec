"""Types told from first bytes: of files that real encoders made, and of bytes made to mislead."""

from __future__ import annotations

import os
import random
import struct
import subprocess
from pathlib import Path

import pytest
import pyvips
from hypothesis import given
from hypothesis import strategies as st

from domain.media.sniffing import HEAD_BYTES, Sniffed, kinds_agree, sniff
from domain.media.states import MediaKind

IMAGE, VIDEO, AUDIO = MediaKind.IMAGE, MediaKind.VIDEO, MediaKind.AUDIO

_PICTURE = ("-f", "lavfi", "-i", "testsrc2=size=64x48:rate=10:duration=0.5")
_SOUND = ("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=0.5")

MADE_BY_FFMPEG: tuple[tuple[str, tuple[str, ...], MediaKind, str], ...] = (
    ("h264.mp4", (*_PICTURE, "-c:v", "libx264"), VIDEO, "video/mp4"),
    ("h264.m4v", (*_PICTURE, "-c:v", "libx264"), VIDEO, "video/mp4"),
    ("h264.mov", (*_PICTURE, "-c:v", "libx264"), VIDEO, "video/quicktime"),
    ("h263.3gp", (*_PICTURE, "-c:v", "h263", "-s", "176x144"), VIDEO, "video/3gpp"),
    ("h264.mkv", (*_PICTURE, "-c:v", "libx264"), VIDEO, "video/x-matroska"),
    ("vp8.webm", (*_PICTURE, "-c:v", "libvpx"), VIDEO, "video/webm"),
    ("mpeg4.avi", (*_PICTURE, "-c:v", "mpeg4"), VIDEO, "video/x-msvideo"),
    ("h264.ts", (*_PICTURE, "-c:v", "libx264"), VIDEO, "video/mp2t"),
    ("h264.m2ts", (*_PICTURE, "-c:v", "libx264", "-mpegts_m2ts_mode", "1"), VIDEO, "video/mp2t"),
    ("theora.ogv", (*_PICTURE, "-c:v", "libtheora"), VIDEO, "video/ogg"),
    ("apng.png", (*_PICTURE, "-f", "apng"), IMAGE, "image/apng"),
    ("one.png", (*_PICTURE, "-frames:v", "1"), IMAGE, "image/png"),
    ("one.bmp", (*_PICTURE, "-frames:v", "1"), IMAGE, "image/bmp"),
    ("one.jpg", (*_PICTURE, "-frames:v", "1"), IMAGE, "image/jpeg"),
    ("one.jp2", (*_PICTURE, "-frames:v", "1"), IMAGE, "image/jp2"),
    ("many.gif", _PICTURE, IMAGE, "image/gif"),
    ("tagged.mp3", (*_SOUND, "-metadata", "title=One"), AUDIO, "audio/mpeg"),
    ("bare.mp3", (*_SOUND, "-write_xing", "0", "-id3v2_version", "0"), AUDIO, "audio/mpeg"),
    (
        "low.mp3",
        (*_SOUND, "-ar", "16000", "-b:a", "32k", "-id3v2_version", "0"),
        AUDIO,
        "audio/mpeg",
    ),
    ("layer2.mp2", _SOUND, AUDIO, "audio/mpeg"),
    ("sound.m4a", _SOUND, AUDIO, "audio/mp4"),
    ("sound.aac", _SOUND, AUDIO, "audio/aac"),
    ("sound.flac", _SOUND, AUDIO, "audio/flac"),
    ("sound.wav", _SOUND, AUDIO, "audio/wav"),
    ("large.wav", (*_SOUND, "-rf64", "always"), AUDIO, "audio/wav"),
    ("opus.ogg", (*_SOUND, "-c:a", "libopus"), AUDIO, "audio/ogg"),
    ("vorbis.ogg", (*_SOUND, "-c:a", "libvorbis"), AUDIO, "audio/ogg"),
    ("flac.ogg", (*_SOUND, "-c:a", "flac"), AUDIO, "audio/ogg"),
)


def head_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


@pytest.mark.parametrize(
    ("name", "arguments", "kind", "content_type"), MADE_BY_FFMPEG, ids=lambda value: str(value)[:12]
)
def test_files_of_real_encoders_are_told(
    tmp_path: Path, name: str, arguments: tuple[str, ...], kind: MediaKind, content_type: str
) -> None:
    path = tmp_path / name
    subprocess.run(
        ["ffmpeg", "-v", "error", "-nostdin", *arguments, str(path)], check=True, timeout=30
    )
    found = sniff(head_of(path))
    assert found is not None
    assert (found.kind, found.content_type, found.is_accepted) == (kind, content_type, True)


@pytest.mark.parametrize(
    ("suffix", "content_type"),
    [
        (".jpg", "image/jpeg"),
        (".png", "image/png"),
        (".webp", "image/webp"),
        (".gif", "image/gif"),
        (".tif", "image/tiff"),
        (".tif[bigtiff=true]", "image/tiff"),
        (".avif", "image/avif"),
    ],
)
def test_pictures_that_libvips_writes_are_told(suffix: str, content_type: str) -> None:
    raw = (pyvips.Image.black(64, 64, bands=3) + 40).cast("uchar").write_to_buffer(suffix)
    assert sniff(raw[:HEAD_BYTES]) == Sniffed(IMAGE, content_type)


def ftyp(major: bytes, *compatible: bytes) -> bytes:
    body = major + b"\0\0\0\0" + b"".join(compatible)
    return struct.pack(">I", len(body) + 8) + b"ftyp" + body + b"\0\0\0\x08free"


@pytest.mark.parametrize(
    ("head", "kind", "content_type"),
    [
        (ftyp(b"heic", b"mif1", b"heic"), IMAGE, "image/heic"),
        (ftyp(b"mif1", b"mif1", b"heic"), IMAGE, "image/heic"),
        (ftyp(b"mif1", b"mif1", b"avif"), IMAGE, "image/avif"),
        (ftyp(b"mif1", b"mif1", b"jpeg"), IMAGE, "image/heif"),
        (ftyp(b"msf1", b"hevc"), IMAGE, "image/heic-sequence"),
        (ftyp(b"avis", b"avif", b"msf1"), IMAGE, "image/avif"),
        (ftyp(b"M4B ", b"isom"), AUDIO, "audio/mp4"),
        (ftyp(b"3g2a"), VIDEO, "video/3gpp2"),
        (ftyp(b"dash", b"iso6"), VIDEO, "video/mp4"),
        (b"\0\0\x10\0moov" + b"\0\0\0\x6cmvhd", VIDEO, "video/quicktime"),
        (b"\0\0\0\x08wide" + b"\0\0\x10\0mdat", VIDEO, "video/quicktime"),
        (b"\xff\x0a" + b"\x78" * 40, IMAGE, "image/jxl"),
        (b"\xff\x4f\xff\x51\x00\x2f", IMAGE, "image/jp2"),
        (
            b"\0" * 100 + b"\xff\xfb\x90\x64" + b"\0" * 413 + b"\xff\xfb\x90\x64",
            AUDIO,
            "audio/mpeg",
        ),
        (b"ID3\x04\0\0\0\x01\x7f\x7f" + b"x" * 4000, AUDIO, "audio/mpeg"),
        (b"ID3\x03\0\0\0\0\0\x05xxxxxfLaC", AUDIO, "audio/flac"),
    ],
)
def test_rare_forms_are_told(head: bytes, kind: MediaKind, content_type: str) -> None:
    found = sniff(head)
    assert found is not None
    assert (found.kind, found.content_type, found.is_accepted) == (kind, content_type, True)


@pytest.mark.parametrize(
    ("head", "content_type"),
    [
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "image/svg+xml"),
        (b'\xef\xbb\xbf\n<?xml version="1.0"?><!-- x --><svg:svg xmlns:svg="x"/>', "image/svg+xml"),
        (b"%PDF-1.7\n", "application/pdf"),
        (b"\n\n%PDF-1.4\n", "application/pdf"),
        (b"8BPS\0\x01", "image/vnd.adobe.photoshop"),
        (b"%!PS-Adobe-3.0", "application/postscript"),
        (b"#EXTM3U\n#EXT-X-VERSION:3\n", "application/vnd.apple.mpegurl"),
        (b"ffconcat version 1.0\nfile '/etc/passwd'\n", "text/x-ffconcat"),
        (b"FLV\x01\x05", "video/x-flv"),
        (b"\0\0\x01\xba\x44", "video/mpeg"),
        (b"FORM\0\0\0\x20AIFFCOMM", "audio/aiff"),
        (b"II*\0\x10\0\0\0CR\x02\0", "image/x-canon-cr2"),
        (ftyp(b"crx ", b"isom"), "image/x-canon-cr3"),
    ],
)
def test_what_we_refuse_is_named(head: bytes, content_type: str) -> None:
    found = sniff(head)
    assert found is not None
    assert (found.content_type, found.is_accepted) == (content_type, False)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\0",
        b"\0" * HEAD_BYTES,
        b"Just some text, which is no media at all.\n" * 20,
        "\ufeffA text in UTF-16, whose mark looks like an MPEG frame.".encode("utf-16"),
        b"PK\x03\x04" + b"\0" * 60,
        b"MZ\x90\0" + b"\0" * 60,
        b"BM is how this text begins, and it is no bitmap.",
        b"G" + b"x" * 187 + b"G" + b"x" * 187,
        b"<html><body>svg</body></html>",
        b"RIFF\0\0\0\0ACON",
        b"OggS" + b"\0" * 40,
        b"\x1aE\xdf\xa3" + b"\x42\x82\x84mine",
        b"\xff\xfb\x90\x64" + b"\x55" * 2000,
        random.Random(2).randbytes(HEAD_BYTES),
    ],
)
def test_what_is_no_media_is_not_guessed(head: bytes) -> None:
    assert sniff(head) is None


def test_a_type_does_not_change_with_the_file_name_that_a_polyglot_was_given() -> None:
    """First bytes decide: a JPEG that carries a PDF or markup further on is a JPEG."""
    jpeg = pyvips.Image.black(8, 8).jpegsave_buffer()
    for payload in (b"%PDF-1.7", b"<svg xmlns='x'/>", b"#EXTM3U"):
        assert sniff(jpeg + payload) == Sniffed(IMAGE, "image/jpeg")


@pytest.mark.parametrize(
    ("declared", "head", "agree"),
    [
        (AUDIO, ftyp(b"isom"), True),
        (VIDEO, ftyp(b"M4A "), True),
        (AUDIO, b"\x1aE\xdf\xa3\x42\x82\x84webm", True),
        (VIDEO, b"fLaC", False),
        (AUDIO, b"\xff\xd8\xff\xe0", False),
        (IMAGE, ftyp(b"isom"), False),
        (VIDEO, ftyp(b"heic"), False),
        (IMAGE, ftyp(b"heic"), True),
    ],
)
def test_announced_kind_is_held_to_the_content(
    declared: MediaKind, head: bytes, agree: bool
) -> None:
    found = sniff(head)
    assert found is not None
    assert kinds_agree(declared, found) is agree


@given(
    st.binary(max_size=600), st.sampled_from([b"", b"ID3", b"\0\0\0\x20ftyp", b"\xff\xf1", b"G"])
)
def test_no_bytes_make_it_fail(tail: bytes, start: bytes) -> None:
    found = sniff(start + tail)
    assert found is None or isinstance(found, Sniffed)


KIND_OF_FOLDER = {"image": IMAGE, "video": VIDEO, "audio": AUDIO}
_media_dir = os.environ.get("FANSWORLD_MEDIA_DIR")
_real_files = sorted(Path(_media_dir).glob("*/*")) if _media_dir else []


if _real_files:

    @pytest.mark.parametrize("path", _real_files, ids=lambda path: path.name)
    def test_real_files_are_of_the_kind_of_their_folder(path: Path) -> None:
        found = sniff(head_of(path))
        assert found is not None
        assert kinds_agree(KIND_OF_FOLDER[path.parent.name], found)
        assert found.is_accepted is (path.suffix not in {".svg", ".psd"})
