"""The same play on two stages: Temporal's own time-skipping server, and the simulated one."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import AsyncIterator, Awaitable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol, TypeVar
from uuid import uuid4

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from simulation.temporal import Death, SimulatedTemporal, Work
from tests.workflows.simulation.samples import SAMPLES, Deeds

T = TypeVar("T")
BEGAN = datetime(2030, 1, 31, 12, tzinfo=UTC)

REACHED_SECONDS = 30

NEVER_SHOWN = ("WORKFLOW_TASK_", "ACTIVITY_TASK_STARTED", "ACTIVITY_TASK_CANCELED")
"""Events of tasks, and one that depends on whether a worker was at it just then."""


class Stage(Protocol):
    queue: str
    deeds: Deeds

    @property
    def client(self) -> Client: ...

    async def until(self, awaitable: Awaitable[T]) -> T:
        """Await what runs bring about."""
        ...

    async def sleep(self, duration: timedelta) -> None: ...

    async def rest(self) -> None:
        """Until every run waits for time or for a client."""
        ...

    async def reached(self, workflow_id: str, event: str) -> None:
        """Until a run, which need not have begun yet, has this event."""
        ...

    async def events(self, workflow_id: str, run_id: str | None = None) -> list[str]:
        """The names of a run's events."""
        ...


@dataclass
class RealStage:
    client: Client
    queue: str
    environment: WorkflowEnvironment | None = None
    deeds: Deeds = field(default_factory=Deeds)

    async def until(self, awaitable: Awaitable[T]) -> T:
        return await awaitable

    async def sleep(self, duration: timedelta) -> None:
        assert self.environment is not None
        await self.environment.sleep(duration)

    async def rest(self) -> None:
        await asyncio.sleep(0.2)

    async def reached(self, workflow_id: str, event: str) -> None:
        async with asyncio.timeout(REACHED_SECONDS):
            while True:
                try:
                    if event in await self.events(workflow_id):
                        return
                except RPCError as error:
                    if error.status is not RPCStatusCode.NOT_FOUND:
                        raise
                await asyncio.sleep(0.02)

    async def events(self, workflow_id: str, run_id: str | None = None) -> list[str]:
        handle = self.client.get_workflow_handle(workflow_id, run_id=run_id)
        names = [
            EventType.Name(event.event_type).removeprefix("EVENT_TYPE_")
            for event in (await handle.fetch_history()).events
        ]
        return [name for name in names if not name.startswith(NEVER_SHOWN)]


@asynccontextmanager
async def skipping_stage() -> AsyncIterator[RealStage]:
    server = Path(sys.executable).with_name("temporal-test-server")
    async with (
        await WorkflowEnvironment.start_time_skipping(
            test_server_existing_path=str(server), data_converter=pydantic_data_converter
        ) as environment,
        waking_stage(environment.client) as stage,
    ):
        stage.environment = environment
        yield stage


@asynccontextmanager
async def waking_stage(client: Client) -> AsyncIterator[RealStage]:
    """On a server where time takes its time."""
    stage = RealStage(client, str(uuid4()))
    async with Worker(
        client,
        task_queue=stage.queue,
        workflows=SAMPLES,
        activities=stage.deeds.all(),
        activity_executor=ThreadPoolExecutor(4),
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        yield stage


@dataclass
class SimulatedStage:
    server: SimulatedTemporal
    queue: str = "samples"
    deeds: Deeds = field(default_factory=Deeds)

    def __post_init__(self) -> None:
        self.server.serve({self.queue: self.deeds.all()})

    @property
    def client(self) -> Client:
        return self.server.client

    async def until(self, awaitable: Awaitable[T]) -> T:
        return await self.server.drive(awaitable)

    async def sleep(self, duration: timedelta) -> None:
        await self.server.pass_time(duration)

    async def rest(self) -> None:
        await self.server.settle()

    async def reached(self, workflow_id: str, event: str) -> None:
        """What a worker died of takes time to be done again."""
        await self.server.settle()
        for _ in range(REACHED_SECONDS):
            if self.server.find(workflow_id, "") and event in await self.events(workflow_id):
                return
            await self.server.pass_time(timedelta(minutes=1))
        raise TimeoutError(f"{workflow_id} has no {event}")

    async def events(self, workflow_id: str, run_id: str | None = None) -> list[str]:
        run = self.server.find(workflow_id, run_id or "")
        assert run is not None
        names = [event.partition(" ")[0] for event in run.events]
        return [name for name in names if not name.startswith(NEVER_SHOWN)]


class MurderousTemporal(SimulatedTemporal):
    """Kills the worker at every other piece of work, before or after it."""

    murders: int = 0
    merciful: bool = False

    async def work(self, work: Work, death: Death | None = None) -> None:
        dice: random.Random = self.__dict__.setdefault("dice", random.Random(1))
        if death is None and not self.merciful and dice.random() < 0.5:
            self.murders += 1
            death = dice.choice(list(Death))
        await super().work(work, death)


def simulated_stage(kind: type[SimulatedTemporal] = SimulatedTemporal) -> SimulatedStage:
    return SimulatedStage(kind(workflows=SAMPLES, now=BEGAN))
