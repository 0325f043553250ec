"""What a step says of whom and what it is about, and what an act is."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any, TypeVar, cast

from domain.ids import derived_id
from simulation.money.parts import Parts
from simulation.worlds import Json

T = TypeVar("T")

NAMES = ("fan", "creator", "thing", "card", "choice")

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

    def row_id(self, kind: str) -> str:
        """Of what is asked for, as routes make it from the request's key: the same request, sent
        again, means the same row."""
        return derived_id("simulation", kind, *(str(self.number(name)) for name in NAMES))


def drawn(dice: Random) -> dict[str, Json]:
    data: dict[str, Json] = {name: dice.randrange(1 << 12) for name in NAMES}
    if dice.random() < 0.1:
        data["lost"] = dice.choice(["request", "response"])
    return data


Act = Callable[[Parts, Picks], Coroutine[Any, Any, None]]
