"""One comparison: ours against a peer, as a ratio with a goal."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Result:
    """`ratio` is ours / peer. `at_least` tells which side of the goal is the good one.

    `ours` and `peer` are medians over the rounds, in `unit`; `spread` is the smallest and the
    largest ratio of a single round.
    """

    name: str
    ours: float
    peer: float
    ratio: float
    unit: str
    goal: str
    met: bool
    spread: tuple[float, float] = (0.0, 0.0)
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"spread": list(self.spread)}


def compare(
    name: str,
    *,
    ours: Sequence[float],
    peer: Sequence[float],
    unit: str,
    at_least: float | None = None,
    at_most: float | None = None,
    note: str = "",
) -> Result:
    """The median ratio of paired rounds against one goal.

    The ratio is rounded first: what the table shows is what is held against the goal.

    Raises:
        ValueError: the rounds don't pair up, or there is not exactly one goal.
    """
    if len(ours) != len(peer) or not ours:
        raise ValueError(f"{name}: {len(ours)} rounds of ours against {len(peer)} of the peer")
    if (at_least is None) == (at_most is None):
        raise ValueError(f"{name}: exactly one goal is needed")
    ratios = [mine / theirs for mine, theirs in zip(ours, peer, strict=True)]
    ratio = round(statistics.median(ratios), 3)
    met = ratio >= at_least if at_least is not None else ratio <= (at_most or 0)
    goal = f"≥ {at_least}×" if at_least is not None else f"≤ {at_most}×"
    return Result(
        name=name,
        ours=round(statistics.median(ours), 4),
        peer=round(statistics.median(peer), 4),
        ratio=ratio,
        unit=unit,
        goal=goal,
        met=met,
        spread=(round(min(ratios), 3), round(max(ratios), 3)),
        note=note,
    )


def in_turn(
    rounds: int, first: Callable[[], float], second: Callable[[], float]
) -> tuple[list[float], list[float]]:
    """Run two measurements A B B A A B …, so that drift of the machine hits both alike."""
    ours: list[float] = []
    peer: list[float] = []
    for number in range(rounds):
        if number % 2 == 0:
            ours.append(first())
            peer.append(second())
        else:
            peer.append(second())
            ours.append(first())
    return ours, peer
