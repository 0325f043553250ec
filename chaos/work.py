"""Work that the platform has acknowledged, and a family of it."""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import ClassVar

from chaos.stage import Stage
from devstack.people import Person
from domain.accounts import Role


@dataclass(frozen=True)
class Work:
    """One thing that was answered with 2xx."""

    family: str
    what: str
    """For people, with the id that the answer named."""
    run_id: str
    """Of the workflow that does it."""
    look: Callable[[], Awaitable[str]]
    """How it stands now, seen from outside."""
    right: frozenset[str]
    """The states in which it is done."""


@dataclass
class Round:
    """Work of some families around one fault, among people of its own."""

    stage: Stage
    name: str
    dice: random.Random
    families: frozenset[str] = frozenset()
    works: list[Work] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    media_ids: list[str] = field(default_factory=list)
    """Of all that was uploaded."""
    _acknowledged: dict[str, asyncio.Event] = field(default_factory=dict)

    async def person(self, name: str, role: Role = Role.FAN) -> Person:
        return await self.stage.person(f"{name}-{self.name}", role)

    async def creator(self, name: str) -> Person:
        return await self.person(name, Role.CREATOR)

    def acknowledge(self, work: Work) -> None:
        self.works.append(work)
        self.event(work.family).set()
        self.event("").set()

    def event(self, family: str) -> asyncio.Event:
        """Set once work of this family was acknowledged; "": of any."""
        return self._acknowledged.setdefault(family, asyncio.Event())


class Family(ABC):
    """Work of one kind, in one round."""

    name: ClassVar[str]
    workflows: ClassVar[tuple[str, ...]]
    """That do it."""
    moves_money: ClassVar[bool] = True
    """Whether there is something at Stripe to look at afterwards."""

    def __init__(self, round_: Round) -> None:
        self.round = round_
        self.stage = round_.stage

    async def prepare(self) -> None:
        """Make what must be there before. No fault befalls it."""
        return

    @abstractmethod
    async def begin(self) -> None:
        """Send what begins the work, until it is acknowledged, and say so to the round."""

    def acknowledge(
        self, what: str, run_id: str, look: Callable[[], Awaitable[str]], *right: str
    ) -> None:
        self.round.acknowledge(Work(self.name, what, run_id, look, frozenset(right)))

    async def seen(self, person: Person | None, path: str, *keys: str) -> str:
        """A field of what a GET answers, as text."""
        async with self.stage.asking(person) as asking:
            found = await asking.client.call("GET", path)
        for key in keys:
            found = found[key]
        return str(found)
