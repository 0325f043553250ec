"""Who brings pictures from quarantine to `ready`: our runs on Temporal, or tasks of Celery."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Collection, Sequence

from celery import Celery
from redis import Redis
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowExecutionStatus

from benchmarks.celery_peer.app import STEPS_KEY, TASK, make_app
from benchmarks.celery_peer.variants import CELERY_HOUR, RESTORE_SECONDS, Variant
from devstack.apps import MEDIA_WORKERS, WorkerProcess
from devstack.stack import Stack
from domain.ids import ingest_workflow_id
from infra.settings import Settings
from workflows.media.messages import IngestInput
from workflows.media.start import start_ingest
from workflows.queues import Queue

OUR_WORKERS = ("worker-main", *(f"worker-media-{n + 1}" for n in range(MEDIA_WORKERS)))
OUR_QUIET_SECONDS = 150.0
"""Longer than the longest of our steps' time-outs here, which is that of publishing."""

DEATH_SECONDS = 10.0
QUIET_WITHOUT_HOPE_SECONDS = 45.0


class Side(ABC):
    """One way to get the work done, on workers that can be killed."""

    name: str
    quiet_seconds: float
    """Once nothing became ready for so long, nothing is waited for any more."""
    workers: tuple[str, ...]

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    @abstractmethod
    def order(self, ids: Sequence[str]) -> None:
        """Ask for all of them; returns when each is acknowledged."""

    @abstractmethod
    def held(self, ids: Collection[str]) -> set[str]:
        """Those of which it still knows that they are to be done."""

    @abstractmethod
    def begun(self, ids: Collection[str]) -> dict[tuple[str, str], int]:
        """How often each step (media, step) was begun so far."""

    def kill(self) -> None:
        """All of its workers with all their children at once, as when their machine is gone."""
        for name in self.workers:
            self._stack.send_signal(name, signal.SIGKILL)
        deadline = time.monotonic() + DEATH_SECONDS
        # One that is dying would be taken for one that lives, and not be started again.
        while any(self._stack.pid(name) is not None for name in self.workers):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name}: the workers outlive a SIGKILL")
            time.sleep(0.01)

    def revive(self) -> None:
        """Its workers again; returns when they take work."""
        self._stack.start_apps(self.workers)

    def rest(self) -> None:
        """End its workers, so that another side has the machine for itself."""
        for name in self.workers:
            self._stack.end(name)


class Ours(Side):
    name = "ours"
    quiet_seconds = OUR_QUIET_SECONDS
    workers = OUR_WORKERS

    def __init__(
        self, stack: Stack, loop: asyncio.Runner, client: Client, settings: Settings, owner_id: str
    ) -> None:
        super().__init__(stack)
        self._loop, self._client = loop, client
        self._prefix, self._owner_id = settings.task_queue_prefix, owner_id

    def order(self, ids: Sequence[str]) -> None:
        async def start() -> None:
            await asyncio.gather(*(self._start(each) for each in ids))

        self._loop.run(start())

    async def _start(self, media_id: str) -> None:
        job = IngestInput(media_id, self._owner_id)
        await start_ingest(self._client, job, queue_prefix=self._prefix, kind="image")

    def held(self, ids: Collection[str]) -> set[str]:
        async def look() -> set[str]:
            return {each for each in ids if await self._is_open(each)}

        return self._loop.run(look())

    async def _is_open(self, media_id: str) -> bool:
        handle = self._client.get_workflow_handle(ingest_workflow_id(media_id))
        return (await handle.describe()).status is WorkflowExecutionStatus.RUNNING

    def begun(self, ids: Collection[str]) -> dict[tuple[str, str], int]:
        async def look() -> Counter[tuple[str, str]]:
            found: Counter[tuple[str, str]] = Counter()
            for each in ids:
                found += await self._begun(each)
            return found

        return dict(self._loop.run(look()))

    async def _begun(self, media_id: str) -> Counter[tuple[str, str]]:
        """From the run's history, where the last try of a step says the how manieth it is."""
        handle = self._client.get_workflow_handle(ingest_workflow_id(media_id))
        names: dict[int, str] = {}
        found: Counter[tuple[str, str]] = Counter()
        async for event in handle.fetch_history_events():
            if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
                kind = event.activity_task_scheduled_event_attributes.activity_type.name
                names[event.event_id] = kind
            elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
                started = event.activity_task_started_event_attributes
                found[media_id, names[started.scheduled_event_id]] += started.attempt
        return found


class Peer(Side):
    def __init__(self, stack: Stack, settings: Settings, variant: Variant) -> None:
        super().__init__(stack)
        self.name = variant.told
        self.workers = (f"celery-{variant.name}",)
        self.quiet_seconds = _quiet_seconds(variant)
        self._app: Celery = make_app(variant, settings.valkey_url)
        self._broker = Redis.from_url(variant.broker_url(settings.valkey_url))
        self._notes = Redis.from_url(settings.valkey_url, decode_responses=True)

    def close(self) -> None:
        self._app.close()
        self._broker.close()
        self._notes.close()

    def order(self, ids: Sequence[str]) -> None:
        for each in ids:
            self._app.send_task(TASK, args=[each], task_id=each)

    def held(self, ids: Collection[str]) -> set[str]:
        """Taken and not acknowledged by a worker, or still in the queue."""
        taken = [json.loads(each)[0] for each in self._broker.hvals("unacked")]
        waiting = [json.loads(each) for each in self._broker.lrange("celery", 0, -1)]
        known = {str(each["headers"]["id"]) for each in (*taken, *waiting)}
        return known & set(ids)

    def begun(self, ids: Collection[str]) -> dict[tuple[str, str], int]:
        counted: dict[str, str] = self._notes.hgetall(STEPS_KEY)  # type: ignore[assignment]
        split = {tuple(name.split(" ", 1)): int(times) for name, times in counted.items()}
        return {
            (media_id, step): times for (media_id, step), times in split.items() if media_id in ids
        }


def _quiet_seconds(variant: Variant) -> float:
    """Long enough for what was taken by a dead worker to be given out again. Nobody waits for an
    hour of that: what comes back then counts as held back."""
    if variant.visibility_seconds >= CELERY_HOUR:
        return QUIET_WITHOUT_HOPE_SECONDS
    return variant.visibility_seconds + RESTORE_SECONDS + 20.0


def our_workers() -> tuple[WorkerProcess, ...]:
    main, *media = OUR_WORKERS
    return (
        WorkerProcess(main, Queue.WORKFLOWS, Queue.IO, Queue.MONEY),
        *(WorkerProcess(name, Queue.MEDIA) for name in media),
    )
