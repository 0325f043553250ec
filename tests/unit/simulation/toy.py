"""A world of till and vault, where money may be lost between the two."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from random import Random

from devstack.rules.broken import Break
from simulation.worlds import Scene, Step, World


class ToyWorld:
    """Moves money from a till to a vault. `leaky`: a move of 5 or more right after a death is
    lost on the way."""

    def __init__(self, *, leaky: bool) -> None:
        self.till, self.vault, self.taken = 0, 0, 0
        self.dead, self.leaky = False, leaky
        self.counts: Counter[str] = Counter()
        self.history: list[str] = []

    async def offer(self, dice: Random) -> Step:
        match dice.randrange(4):
            case 0:
                return Step("die")
            case 1 if self.till:
                return Step("move", {"amount": dice.randint(1, self.till)})
        return Step("take", {"amount": dice.randint(1, 9)})

    async def take(self, step: Step) -> None:
        self.history.append(str(step))
        self.counts[step.act] += 1
        amount = step.data.get("amount", 0)
        assert isinstance(amount, int)
        if step.act == "take":
            self.till += amount
            self.taken += amount
        elif step.act == "move" and amount <= self.till:
            self.till -= amount
            if not (self.leaky and self.dead and amount >= 5):
                self.vault += amount
        elif step.act == "crash":
            raise ValueError("crashed")
        self.dead = step.act == "die"

    async def settle(self) -> None:
        self.vault, self.till = self.vault + self.till, 0

    async def check(self, *, settled: bool) -> list[Break]:
        lost = self.taken - self.till - self.vault
        broken = [Break("no money is lost", f"{lost} is missing")] if lost else []
        if settled and self.till:
            broken.append(Break("the till is empty", f"{self.till} is in it"))
        return broken

    def digest(self) -> str:
        return hashlib.sha256("\n".join(self.history).encode()).hexdigest()


class ToyScene:
    def __init__(self, *, leaky: bool) -> None:
        self.leaky = leaky

    @asynccontextmanager
    async def world(self, seed: int) -> AsyncIterator[World]:
        del seed
        yield ToyWorld(leaky=self.leaky)


@contextmanager
def leaky_scene(number: int) -> Iterator[Scene]:
    del number
    yield ToyScene(leaky=True)


@contextmanager
def sound_scene(number: int) -> Iterator[Scene]:
    del number
    yield ToyScene(leaky=False)


def broken_scene(number: int) -> AbstractContextManager[Scene]:
    raise SystemExit(3 + number)
