"""Watching what was published: playlists as a player reads them, and ffmpeg as the player."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from urllib.parse import urljoin

import numpy as np
from numpy.typing import NDArray

from tests.e2e.media.person import Json, Person, fetched
from tests.e2e.media.pictures import Pixels

_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^,]*)')
_WITHOUT_PROXY = os.environ | {"no_proxy": "*"}
_TICKS = 90_000
_HERTZ = 48_000


class CannotPlay(Exception):
    """The player gave up, or complained; its words."""


@dataclass(frozen=True)
class Segment:
    seconds: float
    url: str


@dataclass(frozen=True)
class Stream:
    """A rung or a sound track: its attributes in the master playlist, and its own playlist."""

    url: str
    attributes: dict[str, str]
    playlist: str
    segments: tuple[Segment, ...]

    @property
    def size(self) -> tuple[int, int]:
        wide, high = self.attributes["RESOLUTION"].split("x")
        return int(wide), int(high)

    @property
    def seconds(self) -> float:
        return sum(segment.seconds for segment in self.segments)

    @property
    def key_url(self) -> str:
        (uri,) = {_attributes(line)["URI"] for line in self._tagged("#EXT-X-KEY")}
        return urljoin(self.url, uri)

    @property
    def init_url(self) -> str:
        (line,) = self._tagged("#EXT-X-MAP")
        return urljoin(self.url, _attributes(line)["URI"])

    def _tagged(self, tag: str) -> list[str]:
        return [line for line in self.playlist.splitlines() if line.startswith(tag)]

    def saved(self, folder: Path, *, key: bytes | None) -> Path:
        """The playlist on disk with this key beside it; or as if nothing were encrypted."""
        keyed = re.sub(r'(#EXT-X-KEY:METHOD=AES-128,URI=)"[^"]*"', r'\1"media.key"', self.playlist)
        if key is None:
            keyed = re.sub("#EXT-X-KEY:.*\n", "", keyed)
        else:
            (folder / "media.key").write_bytes(key)
        path = folder / "saved.m3u8"
        path.write_text(keyed)
        return path


@dataclass(frozen=True)
class Master:
    rungs: tuple[Stream, ...]
    sounds: tuple[Stream, ...]

    @property
    def sizes(self) -> list[tuple[int, int]]:
        return [rung.size for rung in self.rungs]


def master_of(person: Person, media_id: str) -> Master:
    """Ask for playback and read every playlist that it leads to."""
    url = person.playback(media_id)["hls_url"]
    lines = fetched(url).decode().splitlines()
    rungs = [
        _stream(urljoin(url, uri), _attributes(line))
        for line, uri in pairwise(lines)
        if line.startswith("#EXT-X-STREAM-INF:")
    ]
    sounds = [_attributes(line) for line in lines if line.startswith("#EXT-X-MEDIA:TYPE=AUDIO")]
    return Master(tuple(rungs), tuple(_stream(urljoin(url, it["URI"]), it) for it in sounds))


def _stream(url: str, attributes: dict[str, str]) -> Stream:
    text = fetched(url).decode()
    lines = text.splitlines()
    segments = [
        Segment(float(line.removeprefix("#EXTINF:").rstrip(",")), urljoin(url, uri))
        for line, uri in pairwise(lines)
        if line.startswith("#EXTINF:")
    ]
    assert lines[-1] == "#EXT-X-ENDLIST"
    return Stream(url, attributes, text, tuple(segments))


def _attributes(line: str) -> dict[str, str]:
    return {name: value.strip('"') for name, value in _ATTRIBUTE.findall(line.partition(":")[2])}


# --- playing -----------------------------------------------------------------------------------


def stream_of(source: str) -> Json:
    """What ffprobe tells of the one stream of a playlist."""
    asked = ("-v", "error", "-show_streams", "-of", "json")
    done = subprocess.run(
        ["ffprobe", *asked, source], capture_output=True, check=True, env=_WITHOUT_PROXY
    )
    (stream,) = json.loads(done.stdout)["streams"]
    assert isinstance(stream, dict)
    return stream


def watch(source: str | Path) -> list[float]:
    """Times of the frames that a player shows of a playlist or file.

    Raises:
        CannotPlay: it stops, or there is anything that it complains of.
    """
    writing = ("-fps_mode", "passthrough", "-enc_time_base", f"1/{_TICKS}", "-f", "framecrc", "-")
    written = _played(source, ("-map", "0:v", *writing)).decode()
    rows = [line.split(",") for line in written.splitlines() if not line.startswith("#")]
    return [int(row[2]) / _TICKS for row in rows]


def listen(source: str | Path) -> float:
    """Seconds of sound that a player plays.

    Raises:
        CannotPlay: as `watch`.
    """
    return len(_samples(source)) / _HERTZ


def pitch_of(source: str | Path) -> float:
    """The strongest frequency of a sound, in hertz."""
    samples = _samples(source)
    strongest = int(np.abs(np.fft.rfft(samples)).argmax())
    return strongest * _HERTZ / len(samples)


def _samples(source: str | Path) -> NDArray[np.int16]:
    raw = ("-map", "0:a", "-f", "s16le", "-ac", "1", "-ar", str(_HERTZ), "-")
    return np.frombuffer(_played(source, raw), dtype=np.int16)


def frames_of(source: str | Path, *, size: tuple[int, int], select: str = "1") -> Pixels:
    """Pixels of the frames for which ffmpeg's `select` is not zero: (frame, row, column, colour).

    Raises:
        CannotPlay: as `watch`.
    """
    wide, high = size
    shown = f"select='{select}',scale={wide}:{high}:in_range=tv:in_color_matrix=bt709"
    raw = ("-fps_mode", "passthrough", "-pix_fmt", "rgb24", "-f", "rawvideo", "-")
    written = _played(source, ("-map", "0:v", "-vf", shown, *raw))
    return np.frombuffer(written, dtype=np.uint8).reshape(-1, high, wide, 3).astype(np.int16)


def _played(source: str | Path, writing: Sequence[str]) -> bytes:
    reading = ["-v", "error", "-xerror", "-protocol_whitelist", "file,http,tcp,crypto"]
    if str(source).partition("?")[0].endswith(".m3u8"):
        reading += ["-allowed_extensions", "ALL"]
    done = subprocess.run(
        ["ffmpeg", "-nostdin", *reading, "-i", str(source), *writing],
        capture_output=True,
        check=False,
        env=_WITHOUT_PROXY,
        timeout=120,
    )
    if done.returncode != 0 or done.stderr:
        raise CannotPlay(done.stderr.decode(errors="replace"))
    return done.stdout
