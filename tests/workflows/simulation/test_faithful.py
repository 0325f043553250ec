"""The simulated server does as Temporal's own does, and so it does where workers die."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from temporalio.client import Client

from tests.workflows.simulation.plays import SKIPPING, WAKING, Seen
from tests.workflows.simulation.stages import (
    MurderousTemporal,
    Stage,
    simulated_stage,
    skipping_stage,
    waking_stage,
)

Play = Callable[[Stage], Awaitable[Seen]]


def each(plays: Sequence[tuple[Any, tuple[str, ...]]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        ("play", "runs"), plays, ids=[play.__name__ for play, _ in plays]
    )


@each(SKIPPING)
async def test_it_does_as_the_server_that_skips_time(play: Play, runs: tuple[str, ...]) -> None:
    async with skipping_stage() as real:
        await compare(play, runs, real)


@each(WAKING)
async def test_it_does_as_the_full_server(
    play: Play, runs: tuple[str, ...], workflow_client: Client
) -> None:
    async with waking_stage(workflow_client) as real:
        await compare(play, runs, real)


async def compare(play: Play, runs: tuple[str, ...], real: Stage) -> None:
    simulated = simulated_stage()
    assert await play(simulated) == await play(real)
    for workflow_id in runs:
        assert await simulated.events(workflow_id) == await real.events(workflow_id)


@each(SKIPPING + WAKING)
async def test_deaths_of_workers_change_nothing_that_is_seen(
    play: Play, runs: tuple[str, ...]
) -> None:
    untroubled = simulated_stage()
    seen = await play(untroubled)
    troubled = simulated_stage(MurderousTemporal)
    assert await play(troubled) == seen
    assert isinstance(troubled.server, MurderousTemporal) and troubled.server.murders
    for workflow_id in runs:
        assert (await troubled.events(workflow_id))[-1] == (await untroubled.events(workflow_id))[
            -1
        ]
