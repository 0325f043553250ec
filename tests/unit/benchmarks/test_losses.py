"""The counter of losses sees what is lost, what comes later, and what is there twice."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.losses import Losses, compare_done, count_losses

KEYS = {"a": ["m/a/1/w320.jpg", "m/a/1/w320.webp"], "b": ["m/b/1/w320.jpg"]}


def counted(**changed: Any) -> Losses:
    facts: dict[str, Any] = {
        "kills": 3,
        "acknowledged": ["a", "b"],
        "states": {"a": "ready", "b": "ready"},
        "held": set(),
        "begun": {("a", "render"): 1, ("b", "render"): 1},
        "objects": KEYS,
        "rows": KEYS,
        "seconds": 12.34,
    }
    return count_losses("a side", **facts | changed)


def test_what_is_done_once_is_neither_lost_nor_doubled() -> None:
    found = counted()
    assert (found.acknowledged, found.done) == (2, 2)
    assert (found.lost, found.held_back, found.again, found.doubled) == (0, 0, 0, 0)
    assert found.seconds == 12.3


@pytest.mark.parametrize("states", [{"a": "ready", "b": "processing"}, {"a": "ready"}])
def test_a_planted_loss_is_counted(states: dict[str, str]) -> None:
    found = counted(states=states)
    assert (found.done, found.lost, found.held_back) == (1, 1, 0)


def test_what_the_broker_still_has_is_late_and_not_lost() -> None:
    found = counted(states={"a": "ready", "b": "processing"}, held={"b"})
    assert (found.done, found.lost, found.held_back) == (1, 0, 1)


def test_each_beginning_beyond_the_first_counts() -> None:
    found = counted(begun={("a", "render"): 3, ("a", "publish"): 1, ("b", "inspect"): 2})
    assert found.again == 3


@pytest.mark.parametrize(
    ("objects", "rows"),
    [
        ({**KEYS, "a": [*KEYS["a"], "work/a/1/left"]}, KEYS),
        (KEYS, {**KEYS, "b": KEYS["b"] * 2}),
    ],
)
def test_leftovers_and_second_rows_are_doubled(
    objects: dict[str, list[str]], rows: dict[str, list[str]]
) -> None:
    assert counted(objects=objects, rows=rows).doubled == 1


def test_a_job_acknowledged_twice_can_not_hide_a_lost_one() -> None:
    with pytest.raises(ValueError, match="twice"):
        counted(acknowledged=["a", "a"])


def test_one_loss_of_ours_misses_the_goal_whatever_the_peer_lost() -> None:
    whole, holed = counted(), counted(states={"a": "ready"})
    assert compare_done(whole, holed).met
    assert not compare_done(holed, holed).met
