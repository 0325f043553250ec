"""Time that moves only when it is told to."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta


@dataclass(order=True, slots=True)
class Alarm:
    """Rings once at `due`, unless it was cancelled before."""

    due: datetime
    number: int
    ring: Callable[[], None] = field(compare=False)
    cancelled: bool = field(default=False, compare=False)

    def cancel(self) -> None:
        self.cancelled = True


class VirtualClock:
    """Alarms at the same instant ring in the order in which they were set."""

    def __init__(self, now: datetime) -> None:
        if now.tzinfo is None:
            raise ValueError("the clock needs a time with its zone")
        self._now = now.astimezone(UTC)
        self._alarms: list[Alarm] = []
        self._set = 0

    @property
    def now(self) -> datetime:
        return self._now

    def after(self, delay: timedelta, ring: Callable[[], None]) -> Alarm:
        """Set an alarm; one without delay rings at the next `advance`."""
        self._set += 1
        alarm = Alarm(self._now + max(delay, timedelta()), self._set, ring)
        heapq.heappush(self._alarms, alarm)
        return alarm

    def next_due(self) -> datetime | None:
        """When the next alarm rings; None if none is set."""
        while self._alarms and self._alarms[0].cancelled:
            heapq.heappop(self._alarms)
        return self._alarms[0].due if self._alarms else None

    def advance(self, to: datetime) -> None:
        """Move to `to` at once. All that is due rings then, and sees `to` as the time."""
        if to < self._now:
            raise ValueError(f"time does not go back from {self._now} to {to}")
        self._now = to
        while (due := self.next_due()) is not None and due <= to:
            heapq.heappop(self._alarms).ring()
