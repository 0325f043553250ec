"""Bugs that are planted in what keeps subscriptions going are found."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import Engine, text
from temporalio import activity

from activities.charges.taking import ChargeTaker
from activities.subscriptions import SubscriptionActivities
from activities.subscriptions.sweeping import SubscriptionSweep
from domain.subscriptions.rules import Rules
from infra.db import transaction
from simulation.database import ProcessDatabase
from simulation.money.parts import Parts
from simulation.money.scene import OURS, MoneyScene
from simulation.money.serving import serve, worker_of
from simulation.money.world import WORLDLY, MoneyWorld
from simulation.playing import Outcome, play, shrunk
from simulation.worlds import Step, World

STEPS = 28


class CountsAttempts(SubscriptionActivities):
    """Numbers a charge by the attempt and not by the period's declines, so that one that is
    tried again takes the money again."""

    def _ask_stripe(self, call: Any, at: datetime) -> Any:
        if call.due is not None:
            generation = call.due.generation + activity.info().attempt - 1
            call = replace(call, due=replace(call.due, generation=generation))
        return super()._ask_stripe(call, at)


class Lingering(SubscriptionActivities):
    """Keeps a right that is not paid for much longer than the grace."""

    def __init__(
        self, engine: Engine, taker: ChargeTaker, sweep: SubscriptionSweep, rules: Rules
    ) -> None:
        super().__init__(engine, taker, sweep, replace(rules, grace=timedelta(days=40)))


class SubscribersWorld(MoneyWorld):
    """In which people do nothing but subscribe."""

    async def offer(self, dice: Random) -> Step:
        while (step := await super().offer(dice)).act not in (*WORLDLY, "subscribe"):
            pass
        return step


class PlantedScene(MoneyScene):
    planted: type[SubscriptionActivities]
    world_type = SubscribersWorld

    @asynccontextmanager
    async def world(self, seed: int) -> AsyncIterator[World]:
        async with super().world(seed) as world:
            assert isinstance(world, MoneyWorld)
            self._plant(world.parts)
            yield world

    def _plant(self, parts: Parts) -> None:
        worker = worker_of(parts)
        sweep = SubscriptionSweep(
            worker.engine, worker.temporal, queue_prefix=parts.queue_prefix, rules=Rules()
        )
        taker = ChargeTaker(worker.settings, worker.engine, worker.gateway)
        serve(parts, instead=self.planted(worker.engine, taker, sweep, Rules()).on_queues())


class CountingScene(PlantedScene):
    planted = CountsAttempts

    def __init__(self, database: ProcessDatabase) -> None:
        super().__init__(database)
        with transaction(database.engine) as session:  # Or the database would refuse the second.
            session.execute(text("DROP INDEX uq_charges_one_under_way"))


class LingeringScene(PlantedScene):
    planted = Lingering


def first_break(scene: MoneyScene, seeds: range, rule: str) -> Outcome:
    """Of that rule: a bug may break several, in other seeds."""
    for seed in seeds:
        failed = play(scene, seed, STEPS)
        if failed.broken is not None and failed.broken.rule == rule:
            return shrunk(scene, failed)
    raise AssertionError("the planted bug was not found")


@pytest.mark.parametrize(
    ("scene_of", "number", "seeds", "rule"),
    [
        pytest.param(
            CountingScene,
            11,
            range(30, 40),
            "nothing is charged twice",
            id="a payment that is tried again is another charge",
        ),
        pytest.param(
            LingeringScene,
            12,
            range(11, 40),
            "a right of a subscription ends with its period, or with the grace",
            id="a right outlives its period",
        ),
    ],
)
def test_a_bug_of_subscriptions_is_found_and_shrunk(
    simulation_environment: Mapping[str, str],
    scene_of: type[MoneyScene],
    number: int,
    seeds: range,
    rule: str,
) -> None:
    database = ProcessDatabase({**simulation_environment, **OURS}, number)
    try:
        short = first_break(scene_of(database), seeds, rule)
    finally:
        database.close()
    assert short.broken is not None
    assert 0 < len(short.steps) <= 8
    assert "subscribe" in {step.act for step in short.steps}
