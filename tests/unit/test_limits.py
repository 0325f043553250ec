"""The window that slides."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.limits import Count, Quota, Tally, count

QUOTA = Quota("api", 10, 60)
START = 60 * 1000.0


@pytest.mark.parametrize(
    ("tally", "at", "expected"),
    [
        (Tally(), 0, Count(True, 9, 60)),
        (Tally(1000, 9), 15, Count(True, 0, 45)),
        # Half of the window before counts after half of this one.
        (Tally(999, 10), 30, Count(True, 4, 30)),
        (Tally(1000, 4, 10), 30, Count(True, 0, 30)),
        # One more passes when another tenth of the 10 has slid out.
        (Tally(1000, 5, 10), 30, Count(False, 0, 6)),
        (Tally(999, 10), 0, Count(False, 0, 6)),
        # This window is full: a tenth of it has to slide out of the next one.
        (Tally(1000, 10), 15, Count(False, 0, 51)),
        # What lies further back is forgotten.
        (Tally(998, 10), 0, Count(True, 9, 60)),
    ],
)
def test_as_much_of_the_window_before_counts_as_is_covered(
    tally: Tally, at: float, expected: Count
) -> None:
    assert count(tally, QUOTA, START + at)[1] == expected


def test_what_is_refused_does_not_count() -> None:
    tally, counted = count(Tally(1000, 10, 3), QUOTA, START + 1)
    assert (tally, counted.allowed) == (Tally(1000, 10, 3), False)


@given(
    gaps=st.lists(st.floats(min_value=0, max_value=90), min_size=1, max_size=80),
    requests=st.integers(min_value=1, max_value=8),
)
def test_whoever_waits_as_told_is_let_in_and_no_window_holds_more_than_the_quota(
    gaps: list[float], requests: int
) -> None:
    quota, tally, now, passed = Quota("api", requests, 60), Tally(), START, list[float]()
    for gap in gaps:
        now += gap
        tally, counted = count(tally, quota, now)
        if not counted.allowed:
            _, later = count(tally, quota, now + counted.wait_seconds)
            assert later.allowed
            continue
        passed.append(now)
        assert 0 <= counted.remaining < requests
        fixed = [each for each in passed if each // 60 == now // 60]
        assert len(fixed) <= requests
