"""What one run that is open and waits costs the Temporal server.

Every live subscription has such a run. Some hundreds are started here, each with one finished step,
the platform's search attributes and a timer of a month. More than that is reckoned, not measured.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temporalio.client import Client
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.worker import Worker

from benchmarks.emptiness import ACTIVITIES, WORKFLOWS, WaitingRun, do_nothing
from benchmarks.few_parts import environ_of_few
from benchmarks.growth_points import Point
from benchmarks.processor import processor_seconds, resident_bytes
from devstack.stack import Stack, settings_from
from devstack.temporal import Temporal
from infra.temporal import connect
from workflows.attributes import CREATOR_ID, JOB_KIND, JOB_STEP, NEEDS_ATTENTION
from workflows.runner import workflow_runner

RUNS = 500
WARM = 50
AT_ONCE = 20
PROCESSOR = "processor milliseconds to begin an open run"
DISK = "bytes on disk of an open run"
MEMORY = "bytes of memory of an open run"


def measure() -> list[Point]:
    with tempfile.TemporaryDirectory(prefix="fansworld-growth-") as folder, ExitStack() as opened:
        environ = environ_of_few()
        stack = opened.enter_context(Stack(Path(folder), parts=(Temporal(),), environ=environ))
        settings = settings_from({**environ, **stack.environment})
        loop = opened.enter_context(asyncio.Runner())
        client = loop.run(connect(settings))
        pid = stack.pid("temporal")
        if pid is None:
            raise RuntimeError("the Temporal server has gone")
        loop.run(_begin(client, range(WARM)))
        before = _Weight.of(pid, Path(folder))
        loop.run(_begin(client, range(WARM, WARM + RUNS)))
        after = _Weight.of(pid, Path(folder))
    return [
        Point("runs", what, RUNS, (value / RUNS,), unit)
        for what, value, unit in (
            (PROCESSOR, 1000 * (after.processor - before.processor), "ms"),
            (DISK, after.disk - before.disk, "bytes"),
            (MEMORY, max(after.memory - before.memory, 0), "bytes"),
        )
    ]


@dataclass(frozen=True, slots=True)
class _Weight:
    """Of the server's process: processor seconds so far, and bytes held now."""

    processor: float
    disk: int
    memory: int

    @classmethod
    def of(cls, pid: int, folder: Path) -> _Weight:
        return cls(
            processor_seconds([pid]),
            sum(each.stat().st_size for each in (folder / "temporal").glob("temporal.db*")),
            resident_bytes([pid]),
        )


async def _begin(client: Client, numbers: Sequence[int]) -> None:
    """Start the runs, and return when each has done its step and waits."""
    window = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        attributes: list[SearchAttributePair[Any]] = [
            SearchAttributePair(JOB_KIND, "subscription"),
            SearchAttributePair(JOB_STEP, "waiting"),
            SearchAttributePair(CREATOR_ID, f"creator-{number % 100}"),
            SearchAttributePair(NEEDS_ATTENTION, False),
        ]
        async with window:
            handle = await client.start_workflow(
                WaitingRun.run,
                id=f"waiting-{number}",
                task_queue=WORKFLOWS,
                search_attributes=TypedSearchAttributes(attributes),
            )
            await handle.execute_update(WaitingRun.begun)

    async with (
        Worker(
            client, task_queue=WORKFLOWS, workflows=[WaitingRun], workflow_runner=workflow_runner()
        ),
        Worker(client, task_queue=ACTIVITIES, activities=[do_nothing]),
    ):
        await asyncio.gather(*(one(number) for number in numbers))
