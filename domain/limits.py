"""Limits on how often somebody may do something: a window that slides.

Two fixed windows are counted, this one and the one before; of the latter as much counts as the
sliding window still covers. That needs two numbers instead of a time for each request, and errs
only as far as requests were spread unevenly over the window before. What is refused does not
count, so a client that keeps asking is let in as soon as one that waits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quota:
    """`requests` in any `window_seconds`; `name` is what clients are told."""

    name: str
    requests: int
    window_seconds: int


@dataclass(frozen=True, slots=True)
class Tally:
    """What is remembered of one bucket."""

    window: int = 0
    """Number of the window that `current` counts."""
    current: int = 0
    before: int = 0

    def less_one(self) -> Tally:
        """One request of the current window did not count after all."""
        return Tally(self.window, max(0, self.current - 1), self.before)


@dataclass(frozen=True, slots=True)
class Count:
    """How one request was counted."""

    allowed: bool
    remaining: int
    wait_seconds: int
    """If it was allowed: until this window ends. If not: until one more may pass."""


def count(tally: Tally, quota: Quota, now: float) -> tuple[Tally, Count]:
    """Count one more request at `now` (Unix seconds), unless the quota is used up."""
    length = quota.window_seconds
    window = int(now // length)
    current = tally.current if tally.window == window else 0
    before = {window: tally.before, window - 1: tally.current}.get(tally.window, 0)
    passed = now - window * length
    used = before * (length - passed) / length + current
    if used + 1 > quota.requests:
        wait = _wait(current, before, quota=quota, passed=passed)
        return Tally(window, current, before), Count(False, 0, max(1, math.ceil(wait)))
    left = math.floor(quota.requests - used - 1)
    return Tally(window, current + 1, before), Count(True, left, math.ceil(length - passed))


def _wait(current: int, before: int, *, quota: Quota, passed: float) -> float:
    """Seconds until enough of the older window has slid out."""
    length, room = quota.window_seconds, quota.requests - 1
    if current <= room:
        return length * (1 - (room - current) / before) - passed
    return length - passed + length * (1 - room / current)
