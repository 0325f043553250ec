from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from simulation.temporal import VirtualClock

BEGAN = datetime(2030, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_alarms_ring_in_the_order_of_their_times_and_then_of_their_setting() -> None:
    clock, rung = VirtualClock(BEGAN), []
    for name, delay in [("c", 2), ("a", 1), ("b", 1), ("later", 9)]:
        clock.after(delay * MINUTE, lambda name=name: rung.append((name, clock.now)))  # type: ignore[misc]
    assert clock.next_due() == BEGAN + MINUTE
    clock.advance(BEGAN + 5 * MINUTE)
    assert [name for name, _ in rung] == ["a", "b", "c"]
    assert {at for _, at in rung} == {BEGAN + 5 * MINUTE}
    assert clock.next_due() == BEGAN + 9 * MINUTE


def test_a_cancelled_alarm_is_silent_and_not_waited_for() -> None:
    clock = VirtualClock(BEGAN)
    clock.after(MINUTE, lambda: pytest.fail("it was cancelled")).cancel()
    assert clock.next_due() is None
    clock.advance(BEGAN + MINUTE)


def test_an_alarm_may_set_another_that_is_due_at_once() -> None:
    clock, rung = VirtualClock(BEGAN), []

    def first() -> None:
        rung.append("first")
        clock.after(timedelta(), lambda: rung.append("second"))

    clock.after(MINUTE, first)
    clock.advance(BEGAN + MINUTE)
    assert rung == ["first", "second"]


def test_time_never_goes_back_and_has_a_zone() -> None:
    clock = VirtualClock(BEGAN.astimezone(timezone(timedelta(hours=2))))
    assert clock.now == BEGAN and clock.now.tzinfo is UTC
    with pytest.raises(ValueError, match="does not go back"):
        clock.advance(BEGAN - MINUTE)
    with pytest.raises(ValueError, match="its zone"):
        VirtualClock(datetime(2030, 1, 1))
