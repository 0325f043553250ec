"""HLS playlists (RFC 8216) and the storyboard's WebVTT, written from rows and signed URLs.

Segments are CMAF: a clear init segment and media segments that are each encrypted whole by
AES-128-CBC. The key is one for a media; the IV is another one for every segment.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

_VERSION = 7


@dataclass(frozen=True)
class HlsSegment:
    """One media segment of a playlist; `iv` has 16 bytes, or is None where it is clear."""

    duration_seconds: float
    uri: str
    iv: bytes | None = None


@dataclass(frozen=True)
class HlsVariant:
    """One video rung. Bandwidths in bits per second, of the video alone."""

    uri: str
    bandwidth: int
    average_bandwidth: int
    codecs: str
    width: int
    height: int
    frame_rate: float


@dataclass(frozen=True)
class HlsAudio:
    """One audio rendition. Those that share `group_id` are alternatives of one codec."""

    uri: str
    name: str
    group_id: str
    channels: int
    codecs: str
    bandwidth: int
    default: bool
    language: str | None = None


@dataclass(frozen=True)
class StoryboardCue:
    """What to show while the pointer is between two times: a tile of a sprite sheet."""

    start_seconds: float
    end_seconds: float
    sheet_uri: str
    x: int
    y: int
    width: int
    height: int


def segment_iv(media_id: str, generation: int, rendition: str, index: int) -> bytes:
    """The IV (16 bytes) of one segment: never the same twice under one media's key.

    It is derived, so that a repeated encode writes the same bytes to the same place and the
    API needs no column for it. An IV is no secret (RFC 8216 §4.3.2.4 prints it in the
    playlist); CBC asks only that it can't be steered, which a hash grants.
    """
    text = f"fansworld.segment\x00{media_id}\x00{generation}\x00{rendition}\x00{index}"
    return hashlib.sha256(text.encode()).digest()[:16]


def media_playlist(*, segments: Sequence[HlsSegment], init_uri: str, key_uri: str | None) -> str:
    """The VOD playlist of one rendition.

    `EXT-X-MAP` stands before the first `EXT-X-KEY`, because a key applies to every init
    segment declared after it (RFC 8216 §4.3.2.4) and ours are clear.

    Raises:
        ValueError: a segment has an IV and there is no key, or the other way round; a URI
            holds a character that would break out of its line or attribute.
    """
    if not segments:
        raise ValueError("a VOD playlist needs at least one segment")
    # RFC 8216 §4.3.3.1: no EXTINF, rounded to the nearest integer, may exceed it.
    target_seconds = max(1, *(math.floor(s.duration_seconds + 0.5) for s in segments))
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{_VERSION}",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        f"#EXT-X-TARGETDURATION:{target_seconds}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        f"#EXT-X-MAP:URI={_quoted(init_uri)}",
    ]
    for segment in segments:
        if (segment.iv is None) != (key_uri is None):
            raise ValueError("a playlist is encrypted as a whole or not at all")
        if key_uri is not None and segment.iv is not None:
            if len(segment.iv) != 16:
                raise ValueError(f"an IV has 16 bytes, not {len(segment.iv)}")
            lines.append(
                f"#EXT-X-KEY:METHOD=AES-128,URI={_quoted(key_uri)},IV=0x{segment.iv.hex()}"
            )
        lines.append(f"#EXTINF:{segment.duration_seconds:.6f},")
        lines.append(_line(segment.uri))
    lines.append("#EXT-X-ENDLIST")
    return "\n".join(lines) + "\n"


def master_playlist(*, variants: Sequence[HlsVariant], audios: Sequence[HlsAudio]) -> str:
    """The master playlist: every rung with every audio group; audio alone if no rung exists.

    A variant's bandwidth covers what a player downloads with it (RFC 8216 §4.3.4.2), so that
    of its audio group's most expensive rendition is added.
    """
    if not variants and not audios:
        raise ValueError("a master playlist needs at least one rendition")
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{_VERSION}", "#EXT-X-INDEPENDENT-SEGMENTS"]
    if not variants:
        for audio in audios:
            attributes = [
                f"BANDWIDTH={audio.bandwidth}",
                f"AVERAGE-BANDWIDTH={audio.bandwidth}",
                f"CODECS={_quoted(audio.codecs)}",
            ]
            lines += [f"#EXT-X-STREAM-INF:{','.join(attributes)}", _line(audio.uri)]
        return "\n".join(lines) + "\n"
    lines += [_media_tag(audio) for audio in audios]
    groups: dict[str, list[HlsAudio]] = {}
    for audio in audios:
        groups.setdefault(audio.group_id, []).append(audio)
    for variant in variants:
        if not groups:
            lines += [_stream_tag(variant, None, ()), _line(variant.uri)]
        for group_id, members in groups.items():
            lines += [_stream_tag(variant, group_id, members), _line(variant.uri)]
    return "\n".join(lines) + "\n"


def _media_tag(audio: HlsAudio) -> str:
    attributes = [
        "TYPE=AUDIO",
        f"GROUP-ID={_quoted(audio.group_id)}",
        f"NAME={_quoted(audio.name)}",
        f"DEFAULT={'YES' if audio.default else 'NO'}",
        "AUTOSELECT=YES",
        f"CHANNELS={_quoted(str(audio.channels))}",
    ]
    if audio.language is not None:
        attributes.append(f"LANGUAGE={_quoted(audio.language)}")
    attributes.append(f"URI={_quoted(audio.uri)}")
    return f"#EXT-X-MEDIA:{','.join(attributes)}"


def _stream_tag(variant: HlsVariant, group_id: str | None, audios: Sequence[HlsAudio]) -> str:
    codecs = list(dict.fromkeys([variant.codecs, *(audio.codecs for audio in audios)]))
    audio_bandwidth = max((audio.bandwidth for audio in audios), default=0)
    attributes = [
        f"BANDWIDTH={variant.bandwidth + audio_bandwidth}",
        f"AVERAGE-BANDWIDTH={variant.average_bandwidth + audio_bandwidth}",
        f"CODECS={_quoted(','.join(codecs))}",
        f"RESOLUTION={variant.width}x{variant.height}",
        f"FRAME-RATE={variant.frame_rate:.3f}",
    ]
    if group_id is not None:
        attributes.append(f"AUDIO={_quoted(group_id)}")
    return f"#EXT-X-STREAM-INF:{','.join(attributes)}"


def peak_bandwidth(segments: Sequence[tuple[float, int]]) -> int:
    """The peak segment bit rate, in bits per second, of `(duration_seconds, bytes)` in order.

    RFC 8216 §4.1: the largest rate of any contiguous run of segments that lasts between 0.5
    and 1.5 target durations. A media shorter than that counts as a whole.
    """
    if not segments:
        raise ValueError("no segments to measure")
    target_seconds = max(1, *(math.floor(duration + 0.5) for duration, _ in segments))
    rates: list[float] = []
    for start in range(len(segments)):
        seconds, size = 0.0, 0
        for duration, count in segments[start:]:
            seconds, size = seconds + duration, size + count
            if seconds > 1.5 * target_seconds:
                break
            if seconds >= 0.5 * target_seconds:
                rates.append(size * 8 / seconds)
    return math.ceil(max(rates)) if rates else average_bandwidth(segments)


def average_bandwidth(segments: Sequence[tuple[float, int]]) -> int:
    """Bits per second over all of `(duration_seconds, bytes)`."""
    seconds = sum(duration for duration, _ in segments)
    if seconds <= 0:
        raise ValueError("segments that last no time have no bandwidth")
    return math.ceil(sum(size for _, size in segments) * 8 / seconds)


def storyboard_vtt(cues: Sequence[StoryboardCue]) -> str:
    """The storyboard as WebVTT whose cues name a sheet and a tile (`#xywh=`, Media Fragments)."""
    blocks = ["WEBVTT"]
    for cue in cues:
        tile = f"#xywh={cue.x},{cue.y},{cue.width},{cue.height}"
        blocks.append(
            f"{_vtt_time(cue.start_seconds)} --> {_vtt_time(cue.end_seconds)}\n"
            f"{_line(cue.sheet_uri)}{tile}"
        )
    return "\n\n".join(blocks) + "\n"


def _vtt_time(seconds: float) -> str:
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:02d}:{minute:02d}:{second:02d}.{milliseconds:03d}"


def _quoted(text: str) -> str:
    """A quoted-string of an attribute list: no quote or line break can stand in one (§4.2)."""
    if '"' in text:
        raise ValueError(f"not possible inside an attribute: {text!r}")
    return f'"{_line(text)}"'


def _line(text: str) -> str:
    if not text or "\n" in text or "\r" in text or text.startswith("#"):
        raise ValueError(f"not possible as a line of a playlist: {text!r}")
    return text
