"""Days and months that are asked about."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from domain.earnings.periods import days_between, month_bounds
from domain.errors import Invalid

NOW = datetime(2026, 3, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("month", "start", "end"),
    [
        ("2026-02", datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)),
        ("2025-12", datetime(2025, 12, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-03", datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)),
    ],
)
def test_a_month_is_from_its_first_moment_to_before_the_next(
    month: str, start: datetime, end: datetime
) -> None:
    assert month_bounds(month, now=NOW) == (start, end)


@pytest.mark.parametrize("month", ["2026-13", "2026-3", "march", "0000-01", "2026-00", "1999-12"])
def test_what_is_no_month(month: str) -> None:
    with pytest.raises(Invalid) as caught:
        month_bounds(month, now=NOW)
    assert caught.value.code == "month_invalid"


def test_a_month_to_come_has_no_statement() -> None:
    with pytest.raises(Invalid) as caught:
        month_bounds("2026-04", now=NOW)
    assert caught.value.code == "month_not_begun"


def test_both_days_are_included() -> None:
    start, end = days_between(date(2026, 3, 1), date(2026, 3, 1))
    assert (end - start).days == 1


@pytest.mark.parametrize(
    ("first", "last", "code"),
    [
        (date(2026, 3, 2), date(2026, 3, 1), "period_reversed"),
        (date(2025, 3, 1), date(2026, 3, 2), "period_too_long"),
    ],
)
def test_what_can_not_be_asked_about(first: date, last: date, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        days_between(first, last)
    assert caught.value.code == code


def test_a_whole_leap_year_can_be_asked_about() -> None:
    start, end = days_between(date(2024, 1, 1), date(2024, 12, 31))
    assert (end - start).days == 366
