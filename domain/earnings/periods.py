"""Days, months and years of earnings. All of them are in UTC."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta

from domain.errors import Invalid

DAYS_MAX = 366
"""How long a time one request may ask about."""


def moment_of(day: date) -> datetime:
    """When a day begins."""
    return datetime.combine(day, time(), UTC)


def days_between(first: date, last: date) -> tuple[datetime, datetime]:
    """From the beginning of the first day to the end of the last, which is not a part of it.

    Raises:
        Invalid: `period_reversed` or `period_too_long`.
    """
    if last < first:
        raise Invalid("It ends before it begins.", code="period_reversed")
    if (last - first).days >= DAYS_MAX:
        raise Invalid(
            f"Ask about {DAYS_MAX} days at most.", code="period_too_long", days_max=DAYS_MAX
        )
    return moment_of(first), moment_of(last + timedelta(days=1))


def month_bounds(month: str, *, now: datetime) -> tuple[datetime, datetime]:
    """From when to before when a month (`2026-03`) is.

    Raises:
        Invalid: `month_invalid`; or `month_not_begun`.
    """
    if not re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", month) or month < "2000":
        raise Invalid("Say a month as 2026-03.", code="month_invalid")
    year, number = int(month[:4]), int(month[5:])
    start = datetime(year, number, 1, tzinfo=UTC)
    if start > now:
        raise Invalid("That month has not begun yet.", code="month_not_begun")
    following = (year + 1, 1) if number == 12 else (year, number + 1)
    return start, datetime(*following, 1, tzinfo=UTC)


def year_bounds(year: int) -> tuple[datetime, datetime]:
    return datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
