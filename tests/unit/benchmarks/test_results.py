"""A comparison says the truth about its goal, and a part never passes for the whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.__main__ import write
from benchmarks.result import Result, compare, in_turn
from benchmarks.ssim import ssim


def compared(
    ours: list[float],
    peer: list[float],
    *,
    at_least: float | None = None,
    at_most: float | None = None,
) -> Result:
    return compare("x", ours=ours, peer=peer, unit="s", at_least=at_least, at_most=at_most)


@pytest.mark.parametrize(
    ("ratio", "at_least", "at_most", "met"),
    [
        (1.3, 1.2, None, True),
        (1.2, 1.2, None, True),
        (1.19, 1.2, None, False),
        (1.05, None, 1.1, True),
        (1.1, None, 1.1, True),
        (1.11, None, 1.1, False),
        (1.0004, None, 1.0, True),  # shown as 1.000
        (1.0006, None, 1.0, False),
    ],
)
def test_a_missed_goal_is_told(
    ratio: float, at_least: float | None, at_most: float | None, met: bool
) -> None:
    result = compared([ratio], [1.0], at_least=at_least, at_most=at_most)
    assert result.met is met
    assert result.as_json()["met"] is met


def test_the_ratio_is_the_median_of_paired_rounds() -> None:
    result = compared([2.0, 30.0, 9.0], [1.0, 10.0, 1.0], at_least=1.0)
    assert (result.ratio, result.spread) == (3.0, (2.0, 9.0))
    assert (result.ours, result.peer) == (9.0, 1.0)


@pytest.mark.parametrize(
    ("ours", "peer", "goals"),
    [
        ([1.0], [1.0, 2.0], {"at_least": 1.0}),
        ([], [], {"at_least": 1.0}),
        ([1.0], [1.0], {}),
        ([1.0], [1.0], {"at_least": 1.0, "at_most": 1.0}),
    ],
)
def test_rounds_that_do_not_pair_or_unclear_goals_are_refused(
    ours: list[float], peer: list[float], goals: dict[str, float]
) -> None:
    with pytest.raises(ValueError):
        compared(ours, peer, **goals)


def test_both_sides_go_first_in_turn() -> None:
    order: list[str] = []

    def side(name: str, value: float) -> float:
        order.append(name)
        return value

    found = in_turn(4, lambda: side("ours", 1.0), lambda: side("peer", 2.0))
    assert found == ([1.0] * 4, [2.0] * 4)
    assert order == ["ours", "peer", "peer", "ours"] * 2


def test_single_suites_leave_the_whole_run_alone(tmp_path: Path) -> None:
    whole = [compared([1.0], [1.0], at_least=1.0), compared([2.0], [1.0], at_least=1.0)]
    kept = write(whole, is_whole=True, folder=tmp_path)
    part = write(whole[:1], is_whole=False, folder=tmp_path)
    assert kept.name == "latest.json" and kept != part
    entries = json.loads(kept.read_text())
    assert len(entries) == 2
    assert {"name", "ours", "peer", "ratio", "unit", "goal", "met"} <= entries[0].keys()
    assert len(json.loads(part.read_text())) == 1


def test_likeness_falls_with_damage() -> None:
    picture = Image.radial_gradient("L")
    slightly = picture.point(lambda value: value // 16 * 16)
    badly = picture.point(lambda value: value // 64 * 64)
    assert ssim(picture, picture) == pytest.approx(1.0)
    assert ssim(picture, badly) < ssim(picture, slightly) < 1.0


def test_pictures_of_different_sizes_are_not_compared() -> None:
    with pytest.raises(ValueError):
        ssim(Image.new("L", (20, 20)), Image.new("L", (20, 21)))
