"""What a step says of whom and what it is about, and what an act is."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any, TypeVar, cast

from simulation.money.parts import Parts
from simulation.worlds import Json

T = TypeVar("T")

PATIENCE = timedelta(seconds=10)
"""Of a request that waits for a run."""


@dataclass(frozen=True)
class Picks:
    """Which ones, drawn before anybody knows how many there will be."""

    data: Mapping[str, Json]

    def of(self, choices: Sequence[T], name: str) -> T:
        return choices[self.number(name) % len(choices)]

    def number(self, name: str) -> int:
        return cast(int, self.data[name])


def drawn(dice: Random) -> dict[str, Json]:
    names = ("fan", "creator", "thing", "card", "choice")
    data: dict[str, Json] = {name: dice.randrange(1 << 12) for name in names}
    if dice.random() < 0.1:
        data["lost"] = dice.choice(["request", "response"])
    return data


Act = Callable[[Parts, Picks], Coroutine[Any, Any, None]]
