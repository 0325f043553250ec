"""What a file is, told from its first bytes.

Names and declared types are ignored: they are the uploader's word. A box or header that only
looks right is checked one step further where a single magic number is weak (MPEG audio,
transport streams, BMP). Whether the content can be decoded is for the probe to say, and so is
whether an MP4 or WebM holds pictures or only sound (`Sniffed.holds_either`).

Sources: ISO/IEC 14496-12 §4.3 and the brands registered at mp4ra.org, ISO/IEC 23008-12 (HEIF),
AVIF 1.1, RFC 9559 (Matroska), RFC 3533 and 5334 (Ogg), RFC 9639 (FLAC), ISO/IEC 13818-1 §2.4.3
(transport stream), ISO/IEC 11172-3 §2.4 (MPEG audio), PNG 3rd edition, TIFF 6.0, BigTIFF.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from domain.media.states import MediaKind

HEAD_BYTES = 4096
"""Enough for every rule here."""

_IMAGE, _VIDEO, _AUDIO = MediaKind.IMAGE, MediaKind.VIDEO, MediaKind.AUDIO


@dataclass(frozen=True)
class Sniffed:
    """The kind and the type of a file's content."""

    kind: MediaKind
    content_type: str
    is_accepted: bool = True
    """False for what is recognised only so that its refusal can name it."""
    holds_either: bool = False
    """The container is as good for sound alone as for pictures; the probe decides."""


def sniff(head: bytes) -> Sniffed | None:
    """Tell a file by its first `HEAD_BYTES` (all of them, where it is shorter).

    Returns None for what is no media that we know.
    """
    for rule in _RULES:
        if (found := rule(head)) is not None:
            return found
    return None


def kinds_agree(declared: MediaKind, sniffed: Sniffed) -> bool:
    """May a file announced as `declared` have this content?

    A container that holds either agrees with both video and audio: only the probe knows.
    """
    if declared is sniffed.kind:
        return True
    return sniffed.holds_either and declared in (_VIDEO, _AUDIO)


def _refused(kind: MediaKind, content_type: str) -> Sniffed:
    return Sniffed(kind, content_type, is_accepted=False)


# --- fixed magic numbers ---------------------------------------------------------------------

_MAGIC: tuple[tuple[bytes, Sniffed], ...] = (
    (b"\xff\xd8\xff", Sniffed(_IMAGE, "image/jpeg")),
    (b"GIF87a", Sniffed(_IMAGE, "image/gif")),
    (b"GIF89a", Sniffed(_IMAGE, "image/gif")),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", Sniffed(_IMAGE, "image/jp2")),
    (b"\xff\x4f\xff\x51", Sniffed(_IMAGE, "image/jp2")),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", Sniffed(_IMAGE, "image/jxl")),
    (b"\xff\x0a", Sniffed(_IMAGE, "image/jxl")),
    (b"fLaC", Sniffed(_AUDIO, "audio/flac")),
    (b"8BPS", _refused(_IMAGE, "image/vnd.adobe.photoshop")),
    (b"%!PS", _refused(_IMAGE, "application/postscript")),
    (b"\x00\x00\x01\x00", _refused(_IMAGE, "image/vnd.microsoft.icon")),
    (b"FLV\x01", _refused(_VIDEO, "video/x-flv")),
    (b"\x00\x00\x01\xba", _refused(_VIDEO, "video/mpeg")),
    (b"\x00\x00\x01\xb3", _refused(_VIDEO, "video/mpeg")),
    (b"0&\xb2u\x8ef\xcf\x11\xa6\xd9\x00\xaa\x00b\xcel", _refused(_VIDEO, "video/x-ms-asf")),
    (b"#EXTM3U", _refused(_VIDEO, "application/vnd.apple.mpegurl")),
    (b"ffconcat version", _refused(_VIDEO, "text/x-ffconcat")),
    (b"#!AMR", _refused(_AUDIO, "audio/amr")),
    (b"MThd", _refused(_AUDIO, "audio/midi")),
)


def _by_magic(head: bytes) -> Sniffed | None:
    return next((found for magic, found in _MAGIC if head.startswith(magic)), None)


# --- pictures --------------------------------------------------------------------------------


def _png(head: bytes) -> Sniffed | None:
    if not head.startswith(b"\x89PNG\r\n\x1a\n"):
        return None
    position = 8
    while position + 8 <= len(head):
        length = int.from_bytes(head[position : position + 4], "big")
        name = head[position + 4 : position + 8]
        if name == b"acTL":
            return Sniffed(_IMAGE, "image/apng")
        if name == b"IDAT":
            break
        position += 12 + length
    return Sniffed(_IMAGE, "image/png")


def _tiff(head: bytes) -> Sniffed | None:
    if head[:4] not in (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"):
        return None
    if head[8:10] == b"CR":
        return _refused(_IMAGE, "image/x-canon-cr2")
    return Sniffed(_IMAGE, "image/tiff")


_BMP_HEADER_SIZES = frozenset({12, 16, 40, 52, 56, 64, 108, 124})


def _bmp(head: bytes) -> Sniffed | None:
    size_of_header = int.from_bytes(head[14:18], "little")
    if head[:2] != b"BM" or size_of_header not in _BMP_HEADER_SIZES:
        return None
    return Sniffed(_IMAGE, "image/bmp")


def _document(head: bytes) -> Sniffed | None:
    """SVG and PDF: both may carry scripts and references, neither is a photograph."""
    if b"%PDF-" in head[:1024]:
        return _refused(_IMAGE, "application/pdf")
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"<") and re.search(rb"<(\w+:)?svg[\s>]", text):
        return _refused(_IMAGE, "image/svg+xml")
    return None


# --- containers ------------------------------------------------------------------------------


def _riff(head: bytes) -> Sniffed | None:
    if head[:4] not in (b"RIFF", b"RF64", b"BW64"):
        return None
    return {
        b"WEBP": Sniffed(_IMAGE, "image/webp"),
        b"WAVE": Sniffed(_AUDIO, "audio/wav"),
        b"AVI ": Sniffed(_VIDEO, "video/x-msvideo"),
    }.get(head[8:12])


def _aiff(head: bytes) -> Sniffed | None:
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return _refused(_AUDIO, "audio/aiff")
    return None


def _matroska(head: bytes) -> Sniffed | None:
    """The EBML header names the document type in element 0x4282."""
    if not head.startswith(b"\x1aE\xdf\xa3"):
        return None
    named = re.search(rb"\x42\x82[\x80-\x90](webm|matroska)", head[:256])
    if named is None:
        return None
    content_type = "video/webm" if named[1] == b"webm" else "video/x-matroska"
    return Sniffed(_VIDEO, content_type, holds_either=True)


_OGG_SOUND = (b"OpusHead", b"\x01vorbis", b"\x7fFLAC", b"Speex   ")


def _ogg(head: bytes) -> Sniffed | None:
    """All streams begin in the first pages; one of pictures makes it a video."""
    if not head.startswith(b"OggS"):
        return None
    if b"\x80theora" in head or b"BBCD\x00" in head:
        return Sniffed(_VIDEO, "video/ogg", holds_either=True)
    if any(name in head for name in _OGG_SOUND):
        return Sniffed(_AUDIO, "audio/ogg", holds_either=True)
    return None


_QUICKTIME_BOXES = frozenset({b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
_STILL_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"mif1", b"mif2", b"avif"})
_SEQUENCE_BRANDS = frozenset({b"hevc", b"hevx", b"hevm", b"hevs", b"msf1", b"avis"})
_HEVC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
_SOUND_BRANDS = frozenset({b"M4A ", b"M4B ", b"M4P ", b"F4A ", b"F4B "})


def _mp4_family(head: bytes) -> Sniffed | None:
    size, name = int.from_bytes(head[:4], "big"), head[4:8]
    if name == b"ftyp" and size >= 16:
        brands = head[16 : min(size, len(head))]
        compatible = {brands[at : at + 4] for at in range(0, len(brands) - 3, 4)}
        return _by_brand(head[8:12], compatible)
    if name in _QUICKTIME_BOXES and (size >= 8 or size in (0, 1)):
        # QuickTime before 2001 had no `ftyp`.
        following = head[size + 4 : size + 8]
        if name in (b"moov", b"mdat") or not following or following in _QUICKTIME_BOXES:
            return Sniffed(_VIDEO, "video/quicktime", holds_either=True)
    return None


def _by_brand(major: bytes, compatible: set[bytes]) -> Sniffed:
    every = compatible | {major}
    if major in _STILL_BRANDS | _SEQUENCE_BRANDS:
        if every & {b"avif", b"avis"}:
            return Sniffed(_IMAGE, "image/avif")
        is_sequence = major in _SEQUENCE_BRANDS
        family = "heic" if every & _HEVC_BRANDS else "heif"
        return Sniffed(_IMAGE, f"image/{family}{'-sequence' if is_sequence else ''}")
    if major == b"crx ":
        return _refused(_IMAGE, "image/x-canon-cr3")
    if major in _SOUND_BRANDS:
        return Sniffed(_AUDIO, "audio/mp4", holds_either=True)
    if major == b"qt  ":
        return Sniffed(_VIDEO, "video/quicktime", holds_either=True)
    if major[:3] in (b"3gp", b"3gr", b"3gs"):
        return Sniffed(_VIDEO, "video/3gpp", holds_either=True)
    if major[:3] == b"3g2":
        return Sniffed(_VIDEO, "video/3gpp2", holds_either=True)
    return Sniffed(_VIDEO, "video/mp4", holds_either=True)


_TS_PACKETS_MIN = 3


def _transport_stream(head: bytes) -> Sniffed | None:
    """Sync bytes 188 apart; 192 on discs and in camcorders, whose packets a time stamp leads."""
    for first, stride in ((0, 188), (4, 192)):
        marks = head[first::stride]
        if len(marks) >= _TS_PACKETS_MIN and set(marks) == {0x47}:
            return Sniffed(_VIDEO, "video/mp2t", holds_either=True)
    return None


# --- bare sound ------------------------------------------------------------------------------

_MPEG_BITRATES_KBPS: dict[tuple[bool, int], tuple[int, ...]] = {
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""By (is MPEG-1, layer), for bitrate indexes 1 to 14."""
_MPEG_RATES_HZ = (44_100, 48_000, 32_000)


def _bare_sound(head: bytes) -> Sniffed | None:
    """MP3 (or layer II) and ADTS, after an ID3 tag or padding if there is one."""
    body = head
    is_tagged = head.startswith(b"ID3") and len(head) >= 10
    if is_tagged:
        size = 0
        for digit in head[6:10]:
            size = size << 7 | digit & 0x7F
        body = head[10 + size + (10 if head[5] & 0x10 else 0) :]
    body = body.lstrip(b"\x00")
    if body.startswith(b"fLaC"):
        return Sniffed(_AUDIO, "audio/flac")
    if _repeats(body, _adts_frame_bytes):
        return Sniffed(_AUDIO, "audio/aac")
    if is_tagged or _repeats(body, _mpeg_frame_bytes):
        return Sniffed(_AUDIO, "audio/mpeg")
    return None


def _repeats(body: bytes, frame_bytes: Callable[[bytes], int | None]) -> bool:
    """A frame, and where the head reaches that far, another one right behind it."""
    first = frame_bytes(body)
    if first is None:
        return False
    rest = body[first:]
    return len(rest) < 7 or frame_bytes(rest) is not None


def _mpeg_frame_bytes(body: bytes) -> int | None:
    """Length of the MPEG audio frame that `body` starts with; None if there is none."""
    if len(body) < 4 or body[0] != 0xFF or body[1] & 0xE0 != 0xE0:
        return None
    version, layer = body[1] >> 3 & 3, 4 - (body[1] >> 1 & 3)
    bitrate_index, rate_index, padding = body[2] >> 4, body[2] >> 2 & 3, body[2] >> 1 & 1
    if version == 1 or layer not in (2, 3) or rate_index == 3 or not 1 <= bitrate_index <= 14:
        return None
    is_mpeg1 = version == 3
    bitrate = _MPEG_BITRATES_KBPS[is_mpeg1, layer][bitrate_index - 1] * 1000
    rate_hz = _MPEG_RATES_HZ[rate_index] // {3: 1, 2: 2, 0: 4}[version]
    samples = 576 if layer == 3 and not is_mpeg1 else 1152
    return samples // 8 * bitrate // rate_hz + padding


def _adts_frame_bytes(body: bytes) -> int | None:
    """Length of the ADTS frame that `body` starts with; None if there is none."""
    if len(body) < 7 or body[0] != 0xFF or body[1] & 0xF6 != 0xF0:
        return None
    if body[2] >> 2 & 0xF > 12:
        return None
    length = (body[3] & 3) << 11 | body[4] << 3 | body[5] >> 5
    return length if length > 7 else None


_RULES = (
    _by_magic,
    _png,
    _riff,
    _mp4_family,
    _matroska,
    _ogg,
    _tiff,
    _transport_stream,
    _bmp,
    _aiff,
    _document,
    _bare_sound,
)
