"""What a simulation runs: a world that offers steps, takes them, and is held to its rules."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from devstack.rules.broken import Break

Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]


@dataclass(frozen=True)
class Step:
    """Plain data that says all there is to know: whoever takes it draws nothing by chance."""

    act: str
    data: dict[str, Json] = field(default_factory=dict)

    def __str__(self) -> str:
        words = " ".join(
            f"{name}={value if isinstance(value, str) else json.dumps(value)}"
            for name, value in self.data.items()
        )
        return f"{self.act} {words}".rstrip()


class World(Protocol):
    @property
    def counts(self) -> Counter[str]:
        """What has happened, for the report: charges, faults, deaths."""
        ...

    async def offer(self, dice: Random) -> Step:
        """A step that may be taken now."""
        ...

    async def take(self, step: Step) -> None:
        """Take a step. One that fits no more, since others were left out, does nothing."""
        ...

    async def settle(self) -> None:
        """Let all that is under way come to its end, without any more faults."""
        ...

    async def check(self, *, settled: bool) -> list[Break]:
        """Rules that do not hold; some hold only once all has settled."""
        ...

    def digest(self) -> str:
        """Of all that has happened: the same steps give the same."""
        ...


class Scene(Protocol):
    """What one process keeps open for all its worlds."""

    def world(self, seed: int) -> AbstractAsyncContextManager[World]:
        """A new world; nothing of an earlier one is in it."""
        ...


OpenScene = Callable[[int], AbstractContextManager[Scene]]
"""Of the number of the process. A function of a module, since processes are spawned."""
