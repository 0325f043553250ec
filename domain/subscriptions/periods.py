"""When the periods of a subscription begin and end.

Every boundary is counted from one anchor and never from the boundary before it, so that the
31st comes back after a short month: 31 January → 28 February → 31 March. The time of day
stays, in UTC.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, datetime

PERIOD_MONTHS = (1, 3, 6, 12)
"""How long a period may be; above one month it is a bundle."""


@dataclass(frozen=True, slots=True)
class Period:
    """From `starts_at` until just before `ends_at`, UTC; the first has the number 1."""

    number: int
    starts_at: datetime
    ends_at: datetime

    def holds(self, at: datetime) -> bool:
        return self.starts_at <= at < self.ends_at


def months_after(anchor: datetime, months: int) -> datetime:
    """The anchor's day and time of day that many calendar months later, in UTC; where the month
    is too short, its last day.

    Raises:
        ValueError: the anchor has no time zone, or `months` is below zero.
    """
    if anchor.tzinfo is None:
        raise ValueError("an anchor has a time zone")
    if months < 0:
        raise ValueError(f"periods go forward, not by {months} months")
    first = anchor.astimezone(UTC)
    years, month = divmod(first.month - 1 + months, 12)
    year = first.year + years
    day = min(first.day, calendar.monthrange(year, month + 1)[1])
    return first.replace(year=year, month=month + 1, day=day)


def period_of(anchor: datetime, *, months: int, number: int, months_before: int = 0) -> Period:
    """The period of that number.

    Args:
        anchor: when the first period began.
        months: length of a period, one of `PERIOD_MONTHS`.
        number: from 1; with `months_before` counted from there.
        months_before: how many months from the anchor on had periods of another length. Who goes
            from months to years after the fifth has 5 here, and keeps the anchor's day.

    Raises:
        ValueError: there are no periods of that length, or none of that number.
    """
    if months not in PERIOD_MONTHS:
        raise ValueError(f"a period has one of {PERIOD_MONTHS} months, not {months}")
    if number < 1:
        raise ValueError(f"periods are counted from 1, not {number}")
    begun = months_before + (number - 1) * months
    return Period(number, months_after(anchor, begun), months_after(anchor, begun + months))


def period_at(
    anchor: datetime, *, months: int, at: datetime, months_before: int = 0
) -> Period | None:
    """The period that `at` falls into; None before the first one."""
    first = period_of(anchor, months=months, number=1, months_before=months_before)
    if at < first.starts_at:
        return None
    # A lower bound by the calendar, which is off by one at most where days don't fit.
    begun = (at.astimezone(UTC).year - first.starts_at.year) * 12
    begun += at.astimezone(UTC).month - first.starts_at.month
    number = max(1, begun // months)
    while True:
        period = period_of(anchor, months=months, number=number, months_before=months_before)
        if period.holds(at):
            return period
        number += 1
