"""What the packets of a file say: the only durations and rates that can be trusted.

Containers promise lengths that their packets don't keep: truncated files, edit lists, headers
written before the recording ended.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

_JITTER_SHARE = Fraction(1, 8)
"""A step between frames may differ by this part of a frame in a constant rate: containers
round times to milliseconds."""
_CONSTANT_SHARE_PERCENT = 99


@dataclass
class PacketTally:
    """Counts over the shown packets of one stream, in ticks of its time base."""

    count: int = 0
    bytes: int = 0
    shown: array[int] = field(default_factory=lambda: array("q"))
    """Presentation times, in decoding order."""
    end: int | None = None
    last_pts: int | None = None
    last_duration: int = 0
    """Of the packet shown last, which need not be the last one stored."""
    keyframes: list[int] = field(default_factory=list)
    has_open_gop: bool = False

    def add(self, *, pts: int | None, duration: int | None, size: int, flags: str) -> None:
        if "D" in flags:
            return
        self.count += 1
        self.bytes += size
        if pts is None:
            return
        self.shown.append(pts)
        if self.last_pts is None or pts >= self.last_pts:
            self.last_pts, self.last_duration = pts, duration or 0
        end = pts + (duration or 0)
        self.end = end if self.end is None else max(self.end, end)
        if "K" in flags:
            self.keyframes.append(pts)
        elif self.keyframes and pts < self.keyframes[-1]:
            self.has_open_gop = True

    @property
    def start(self) -> int | None:
        return min(self.shown) if self.shown else None


@dataclass(frozen=True)
class Cadence:
    """How frames follow one another."""

    frame_rate: Fraction
    is_constant: bool
    end: int
    """Tick at which the last frame's time is over."""
    keyframe_period_frames: int


def read_tallies(lines: Iterable[str]) -> dict[int, PacketTally]:
    """Tallies by stream index, of ffprobe's lines.

    A line holds `stream_index,pts,dts,duration,size,flags`. AVI has no presentation times;
    the order of decoding stands in for them.
    """
    tallies: dict[int, PacketTally] = {}
    for line in lines:
        fields = line.rstrip("\n").split(",")
        if len(fields) < 6 or not fields[0].isdigit():
            continue
        tallies.setdefault(int(fields[0]), PacketTally()).add(
            pts=_number(fields[2] if fields[1] == "N/A" else fields[1]),
            duration=_number(fields[3]),
            size=_number(fields[4]) or 0,
            flags=fields[5],
        )
    return tallies


def _number(text: str) -> int | None:
    return None if text == "N/A" else int(text)


def cadence_of(tally: PacketTally, *, time_base: Fraction, promised: Fraction | None) -> Cadence:
    """The rate at which a video's frames come, from their own times.

    Args:
        promised: the container's rate, used where the times agree with it, since it is exact
            (30000/1001) where times are rounded.
    """
    times = sorted(set(tally.shown))
    if len(times) < 2:
        rate = promised or Fraction(25)
        duration = tally.last_duration or round(1 / rate / time_base)
        end = (times[0] if times else 0) + max(1, duration)
        return Cadence(rate, is_constant=True, end=end, keyframe_period_frames=0)
    steps = sorted(later - earlier for earlier, later in pairwise(times))
    typical = Fraction(steps[len(steps) // 2])
    mean = Fraction(times[-1] - times[0], len(times) - 1)
    # A time base as coarse as milliseconds makes every step wrong by up to one tick.
    tolerance = max(typical * _JITTER_SHARE, Fraction(1))
    even = sum(1 for step in steps if abs(step - mean) <= tolerance)
    is_constant = even * 100 >= len(steps) * _CONSTANT_SHARE_PERCENT
    measured = 1 / ((mean if is_constant else typical) * time_base)
    rate = measured
    if promised is not None and abs(promised - measured) * 400 <= measured:
        rate = promised
    frame_ticks = 1 / rate / time_base
    last = tally.last_duration
    # The last frame's own duration counts if it is plausible; muxers often write nonsense.
    end = times[-1] + (last if 0 < last <= 10 * frame_ticks else round(frame_ticks))
    is_exact = steps[0] == steps[-1] == frame_ticks and len(times) == tally.count
    period = _keyframe_period(tally, times[0], frame_ticks) if is_exact else 0
    return Cadence(rate, is_constant, end, period)


def _keyframe_period(tally: PacketTally, start: int, frame_ticks: Fraction) -> int:
    """The smallest number of frames whose every multiple is a key frame; 0 if there is none."""
    if tally.has_open_gop:
        return 0
    places = {round((pts - start) / frame_ticks) for pts in tally.keyframes}
    for period in sorted(places - {0}):
        if all(place in places for place in range(0, tally.count, period)):
            return period
    return tally.count if places == {0} else 0
