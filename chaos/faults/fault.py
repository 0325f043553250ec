"""What a fault is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from chaos.work import Round


class NeverMet(Exception):
    """The fault was there, and nothing has come by it: the round shows nothing."""


Act = Callable[[Round], Awaitable[None]]


@dataclass(frozen=True)
class Fault:
    name: str
    what: str
    """In a line, for people."""
    inject: Act
    heal: Act
    lasts_seconds: float = 3.0
    """From one to the other, while work goes on being sent."""
    deadline_seconds: float = 60.0
    """For all that was acknowledged to come to its right end, from when it is healed."""
    asks_operator: bool = False
    """Whether to wait for an operator is a right end; one who sends `retry_step` comes then."""


async def nothing(_: Round) -> None:
    """Heals by itself."""
    return
