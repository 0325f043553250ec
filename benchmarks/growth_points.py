"""What was measured at a size, and how it grows."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Point:
    """One figure at one size; `values` are those of each round."""

    of: str
    """`media`, `subscriptions` or `runs`: what there are so many of."""
    what: str
    size: int
    values: tuple[float, ...]
    unit: str
    note: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"values": [float(f"{each:.4g}") for each in self.values]}

    @classmethod
    def from_json(cls, facts: dict[str, Any]) -> Point:
        return cls(**facts | {"values": tuple(facts["values"])})


def curves(points: Sequence[Point], of: str) -> dict[str, list[Point]]:
    """The points of each figure by growing size, in the order in which the figures were given."""
    found: dict[str, list[Point]] = {}
    for point in points:
        if point.of == of:
            found.setdefault(point.what, []).append(point)
    return {what: sorted(curve, key=lambda each: each.size) for what, curve in found.items()}


def exponent(curve: Sequence[Point]) -> float:
    """k of the n^k that fits best: 0 stays the same, 1 grows as the number does.

    The least squares of the logarithms.

    Raises:
        ValueError: fewer than two sizes, or a figure that is not above zero.
    """
    if len({each.size for each in curve}) < 2:
        raise ValueError("one size says nothing of growth")
    xs = [math.log(each.size) for each in curve]
    ys = [math.log(each.median) for each in curve]
    return statistics.linear_regression(xs, ys).slope
