"""Periods are counted from their anchor, through short months and leap days."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.subscriptions.periods import (
    PERIOD_MONTHS,
    months_after,
    period_at,
    period_of,
)

ANCHORS = st.datetimes(
    min_value=datetime(2020, 1, 1), max_value=datetime(2040, 12, 31), timezones=st.just(UTC)
)
LENGTHS = st.sampled_from(PERIOD_MONTHS)


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(hour=9, minute=30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("anchor", "months", "expected"),
    [
        ("2027-01-31", 1, "2027-02-28"),
        ("2027-01-31", 2, "2027-03-31"),
        ("2027-01-31", 3, "2027-04-30"),
        ("2028-01-31", 1, "2028-02-29"),
        ("2028-01-30", 1, "2028-02-29"),
        ("2028-02-29", 1, "2028-03-29"),
        ("2028-02-29", 12, "2029-02-28"),
        ("2028-02-29", 48, "2032-02-29"),
        ("2027-08-31", 6, "2028-02-29"),
        ("2027-12-31", 1, "2028-01-31"),
        ("2027-11-15", 3, "2028-02-15"),
        ("2027-05-01", 0, "2027-05-01"),
        ("2096-02-29", 48, "2100-02-28"),
    ],
)
def test_months_that_are_too_short_end_on_their_last_day(
    anchor: str, months: int, expected: str
) -> None:
    assert months_after(day(anchor), months) == day(expected)


def test_days_are_those_of_utc() -> None:
    in_auckland = datetime(2027, 2, 1, 1, tzinfo=timezone(timedelta(hours=13)))
    assert months_after(in_auckland, 1) == datetime(2027, 2, 28, 12, tzinfo=UTC)


@given(ANCHORS, LENGTHS, st.integers(1, 200))
def test_periods_follow_each_other_without_gap_or_drift(
    anchor: datetime, months: int, number: int
) -> None:
    this = period_of(anchor, months=months, number=number)
    following = period_of(anchor, months=months, number=number + 1)
    assert this.starts_at < this.ends_at == following.starts_at
    assert this.starts_at.timetz() == anchor.timetz()
    assert this.starts_at.day == anchor.day or (
        this.starts_at.day < anchor.day and (this.starts_at + timedelta(days=1)).day == 1
    )
    shortest = {1: 28, 3: 89, 6: 181, 12: 365}[months]
    assert timedelta(days=shortest) <= this.ends_at - this.starts_at <= timedelta(366)


@given(ANCHORS, LENGTHS, st.integers(0, 30), st.timedeltas(timedelta(-400), timedelta(4000)))
def test_every_moment_after_the_anchor_is_in_exactly_one_period(
    anchor: datetime, months: int, before: int, later: timedelta
) -> None:
    at = anchor + later
    period = period_at(anchor, months=months, at=at, months_before=before)
    if at < months_after(anchor, before):
        assert period is None
        return
    assert period is not None and period.holds(at)
    assert period == period_of(anchor, months=months, number=period.number, months_before=before)


@given(ANCHORS, st.integers(0, 40))
def test_another_length_keeps_the_day_of_the_anchor(anchor: datetime, before: int) -> None:
    last_month = period_of(anchor, months=1, number=before + 1)
    first_year = period_of(anchor, months=12, number=1, months_before=before + 1)
    assert first_year.starts_at == last_month.ends_at
    assert first_year.ends_at == months_after(anchor, before + 13)


def test_what_makes_no_sense_is_refused() -> None:
    anchor = day("2027-01-31")
    with pytest.raises(ValueError, match="time zone"):
        months_after(datetime(2027, 1, 31), 1)
    with pytest.raises(ValueError, match="forward"):
        months_after(anchor, -1)
    with pytest.raises(ValueError, match="a period has one of"):
        period_of(anchor, months=2, number=1)
    with pytest.raises(ValueError, match="counted from 1"):
        period_of(anchor, months=1, number=0)
