"""Retries after a decline."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from domain.charges.states import DeclineKind
from domain.subscriptions.dunning import WINDOW, Dunning, after_decline

FIRST = datetime(2027, 1, 31, tzinfo=UTC)


def days(count: int) -> datetime:
    return FIRST + timedelta(days=count)


@pytest.mark.parametrize(
    ("retries_done", "day", "retry_day"),
    [(0, 0, 2), (1, 2, 7), (2, 7, 14), (3, 14, 21)],
)
def test_soft_declines_are_tried_again_after_2_5_7_and_7_days(
    retries_done: int, day: int, retry_day: int
) -> None:
    told = after_decline(
        DeclineKind.SOFT, retries_done=retries_done, first_declined_at=FIRST, at=days(day)
    )
    assert told == Dunning(days(retry_day), days(21))


def test_after_the_last_retry_it_is_given_up_at_once() -> None:
    told = after_decline(DeclineKind.SOFT, retries_done=4, first_declined_at=FIRST, at=days(21))
    assert told == Dunning(None, None)


@pytest.mark.parametrize("kind", [DeclineKind.HARD, DeclineKind.NEEDS_FAN])
@pytest.mark.parametrize("retries_done", [0, 2])
def test_what_only_the_fan_can_help_is_not_retried_and_waits_as_long(
    kind: DeclineKind, retries_done: int
) -> None:
    told = after_decline(kind, retries_done=retries_done, first_declined_at=FIRST, at=days(7))
    assert told == Dunning(None, days(21))


def test_a_hard_decline_of_the_last_retry_gives_up() -> None:
    told = after_decline(DeclineKind.HARD, retries_done=4, first_declined_at=FIRST, at=days(21))
    assert told == Dunning(None, None)


def test_a_retry_that_came_late_is_followed_by_the_next_all_the_same() -> None:
    told = after_decline(DeclineKind.SOFT, retries_done=1, first_declined_at=FIRST, at=days(20))
    assert told == Dunning(days(25), days(25))


def test_the_window_is_as_long_as_all_retries() -> None:
    assert timedelta(days=21) == WINDOW
