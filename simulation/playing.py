"""One seed: the steps that chance chooses, the rules after each, and the shrunk history."""

from __future__ import annotations

import asyncio
import traceback
from collections import Counter
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from devstack.rules.broken import Break
from simulation.shrinking import shrink
from simulation.worlds import Scene, Step, World

CRASHED = "nothing crashes"
"""The rule that an exception breaks, with its type."""
TRACE_LINES = 30


@dataclass(frozen=True)
class Outcome:
    seed: int
    steps: tuple[Step, ...]
    """Those that were taken, up to the one that broke a rule."""
    broken: Break | None
    settled: bool = False
    """Whether all steps were taken, and the world was let come to rest."""
    counts: Counter[str] = field(default_factory=Counter)
    digest: str = ""


def play(scene: Scene, seed: int, steps_max: int) -> Outcome:
    """Let the seed choose the steps."""
    return asyncio.run(_play(scene, seed, steps_max, None, settle=True))


def replay(scene: Scene, seed: int, steps: Sequence[Step], *, settle: bool = True) -> Outcome:
    """Take these steps; the seed is that of the world only."""
    return asyncio.run(_play(scene, seed, len(steps), steps, settle=settle))


def shrunk(scene: Scene, failed: Outcome) -> Outcome:
    """The shortest history found that breaks the same rule.

    One that broke it at a step is not let settle: that takes longer than all its steps.
    """

    def fails(steps: Sequence[Step]) -> bool:
        broken = replay(scene, failed.seed, steps, settle=failed.settled).broken
        return (
            broken is not None and failed.broken is not None and broken.rule == failed.broken.rule
        )

    return replay(scene, failed.seed, shrink(failed.steps, fails), settle=failed.settled)


async def _play(
    scene: Scene, seed: int, steps_max: int, given: Sequence[Step] | None, *, settle: bool
) -> Outcome:
    # The dice that choose steps are not the world's own: a replay throws none.
    dice = Random(f"steps of {seed}")
    taken: list[Step] = []
    async with scene.world(seed) as world:

        async def choose_and_take(number: int) -> None:
            step = await world.offer(dice) if given is None else given[number]
            taken.append(step)
            await world.take(step)

        broken, settled = None, False
        for number in range(steps_max):
            broken = await _broken_by(world, choose_and_take(number), settled=False)
            if broken is not None:
                break
        if broken is None and settle:
            broken, settled = await _broken_by(world, world.settle(), settled=True), True
        return Outcome(seed, tuple(taken), broken, settled, world.counts.copy(), world.digest())


async def _broken_by(
    world: World, doing: Coroutine[Any, Any, None], *, settled: bool
) -> Break | None:
    try:
        await doing
        broken = await world.check(settled=settled)
    except Exception as error:
        lines = "".join(traceback.format_exception(error)).splitlines()
        return Break(f"{CRASHED}: {type(error).__name__}", "\n".join(lines[-TRACE_LINES:]))
    return broken[0] if broken else None
