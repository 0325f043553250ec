"""Cuts the fragmented MP4 that ffmpeg is still writing into segments of the grid.

ffmpeg appends one fragment (`moof` + `mdat`) for each GOP; a box is whole once the file is as
long as its header says. So segments can be taken, moved to their place on the video's whole
timeline and stored while the encode goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from domain.errors import FansworldError, Unavailable
from domain.media.isobmff import FragmentFacts, fragment_facts, header_at, moved

_BOX_BYTES_MAX = 1 << 30


class EncodeFailed(FansworldError):
    """ffmpeg didn't deliver what was asked of it, and the file isn't known to be the cause."""

    code = "encode_failed"


def ffmpeg_failure(stderr_tail: str) -> FansworldError:
    """The error behind a non-zero exit of ffmpeg. Decoding faults alone don't cause one."""
    if "No space left on device" in stderr_tail:
        return Unavailable("the scratch disk is full", code="scratch_full")
    return EncodeFailed("ffmpeg failed", stderr=stderr_tail[-2000:])


@dataclass
class FragmentTail:
    """Reads whole boxes from the end of a growing file: `init` first, then fragments."""

    path: Path
    init: bytes | None = None
    _offset: int = 0
    _head: bytes = b""

    def take(self) -> list[bytes]:
        """The fragments that were finished since the last call."""
        if not self.path.exists():
            return []
        fragments: list[bytes] = []
        length = self.path.stat().st_size
        with self.path.open("rb") as file:
            while (box := self._next_box(file, length)) is not None:
                kind, data = box
                if kind == "mdat":
                    fragments.append(self._head + data)
                    self._head = b""
                elif kind == "moov":
                    self.init = self._head + data
                    self._head = b""
                else:
                    self._head += data
        return fragments

    def _next_box(self, file: BinaryIO, length: int) -> tuple[str, bytes] | None:
        file.seek(self._offset)
        found = header_at(file.read(16), 0)
        if found is None or self._offset + found[2] > length:
            return None
        if found[2] > _BOX_BYTES_MAX:
            raise EncodeFailed("a fragment is absurdly large", bytes=found[2])
        file.seek(self._offset)
        data = file.read(found[2])
        self._offset += found[2]
        return found[0], data


@dataclass
class SegmentCutter:
    """Groups one rendition's fragments into segments and puts them on the whole timeline.

    Args:
        tail: the file that ffmpeg writes.
        is_whole: says of `(segment, samples, end)` whether that segment is complete, where
            `end` is the time in ticks that it reaches.
        segment: index of the first segment.
        base_time: its time, in ticks.
        sequence: the number of its first fragment.
    """

    tail: FragmentTail
    is_whole: Callable[[int, int, int], bool]
    name: str
    folder: Path
    segment: int = 0
    base_time: int = 0
    sequence: int = 1
    _waiting: list[bytes] = field(default_factory=list)
    _samples: int = 0
    _ticks: int = 0

    def take(self, *, at_end: bool = False) -> list[CutSegment]:
        """Write the segments that were completed since the last call; at the end, the rest."""
        done: list[CutSegment] = []
        for fragment in self.tail.take():
            facts = fragment_facts(fragment)
            self._add(fragment, facts)
            if self.is_whole(self.segment, self._samples, self.base_time + self._ticks):
                done.append(self._finish())
        if at_end and self._waiting:
            done.append(self._finish())
        return done

    def _add(self, fragment: bytes, facts: FragmentFacts) -> None:
        place = self.base_time + self._ticks
        self._waiting.append(moved(fragment, base_time=place, sequence=self.sequence))
        self.sequence += 1
        self._samples += facts.samples
        self._ticks += facts.duration_ticks

    def _finish(self) -> CutSegment:
        path = self.folder / f"{self.name}-{self.segment:06d}.m4s"
        path.write_bytes(b"".join(self._waiting))
        cut = CutSegment(
            index=self.segment,
            path=path,
            samples=self._samples,
            duration_ticks=self._ticks,
            bytes=path.stat().st_size,
        )
        self.base_time += self._ticks
        self.segment += 1
        self._waiting, self._samples, self._ticks = [], 0, 0
        return cut


@dataclass(frozen=True)
class CutSegment:
    """One segment of one rendition, on disk. `samples` are frames of video or audio."""

    index: int
    path: Path
    samples: int
    duration_ticks: int
    bytes: int
