"""Cutting a failing history down to the steps that matter.

Delta debugging ("Simplifying and Isolating Failure-Inducing Input", Zeller and Hildebrandt, 2002):
drop chunks, ever smaller ones, as long as what is left still fails.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

S = TypeVar("S")

TRIES_MAX = 400


def shrink(
    steps: Sequence[S], fails: Callable[[Sequence[S]], bool], *, tries_max: int = TRIES_MAX
) -> list[S]:
    """The steps without those that the failure does not need, in their order.

    Unless `tries_max` cuts the search short, no single one of them can be left out.

    Args:
        fails: whether these steps alone fail in the same way. All of `steps` do.
    """
    kept = list(range(len(steps)))
    tried: dict[tuple[int, ...], bool] = {}

    def still_fails(candidate: list[int]) -> bool:
        key = tuple(candidate)
        if key not in tried:
            if len(tried) >= tries_max:
                return False
            tried[key] = fails([steps[index] for index in candidate])
        return tried[key]

    chunk = max(1, len(kept) // 2)
    while kept:
        smaller = _without_chunks(kept, chunk, still_fails)
        if smaller != kept:
            kept = smaller
            chunk = min(chunk, max(1, len(kept) // 2))
        elif chunk > 1:
            chunk //= 2
        else:
            break
    return [steps[index] for index in kept]


def _without_chunks(
    kept: list[int], chunk: int, still_fails: Callable[[list[int]], bool]
) -> list[int]:
    """From the end, since what came after the failure goes first and at once."""
    end = len(kept)
    while end > 0:
        start = max(0, end - chunk)
        candidate = kept[:start] + kept[end:]
        if still_fails(candidate):
            kept = candidate
        end = start
    return kept
