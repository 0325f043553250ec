from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulation.shrinking import shrink


@given(st.integers(1, 60), st.sets(st.integers(0, 59), min_size=1, max_size=4))
def test_exactly_the_steps_that_matter_are_left(count: int, matter: set[int]) -> None:
    needed = {each for each in matter if each < count} or {0}

    def fails(steps: Sequence[int]) -> bool:
        return needed <= set(steps)

    assert shrink(range(count), fails, tries_max=10_000) == sorted(needed)


def test_nothing_is_left_of_what_fails_by_itself() -> None:
    assert shrink(range(100), lambda _steps: True) == []


def test_order_is_kept_where_it_matters() -> None:
    def fails(steps: Sequence[str]) -> bool:
        return "".join(steps).find("ab") >= 0

    assert shrink("xxbaxbxabxx", fails) == ["a", "b"]


def test_the_search_ends_after_so_many_tries() -> None:
    tries = 0

    def fails(steps: Sequence[int]) -> bool:
        nonlocal tries
        tries += 1
        return sum(steps) > 4000

    left = shrink(range(100), fails, tries_max=7)
    assert tries == 7
    assert sum(left) > 4000


@pytest.mark.parametrize("count", [1, 2, 3])
def test_one_step_more_or_less_can_not_be_left_out(count: int) -> None:
    def fails(steps: Sequence[int]) -> bool:
        return len(steps) >= count

    assert len(shrink(range(20), fails)) == count
