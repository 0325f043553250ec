"""The product on the test's stack: the API over HTTP, and workers on task queues of their own."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import DateTime, Engine, select, update
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import CancelledError

from activities.parts import open_worker_parts
from devstack.apps import WorkerProcess
from devstack.part import NotReady
from devstack.stack import ROOT, settings_from
from domain.access import GrantSource
from domain.accounts import Role
from domain.ids import ingest_workflow_id, sweep_workflow_id
from infra.db import transaction
from infra.ids import new_id
from infra.models import AuditEntry, Creator, Entitlement, Media, Rendition, Upload, User
from infra.settings import Settings
from infra.storage import Storage
from infra.temporal import connect
from tests.e2e.media.person import Person
from tests.harness.api import RunningApi, serving
from worker import build_workers
from workflows.media.messages import SweepReport
from workflows.media.sweep import SweepMedia
from workflows.queues import Queue, queue_name

T = TypeVar("T")

CALL_SECONDS = 60
START_SECONDS = 60

SMALL = {
    "VIDEO_LADDER_SHORT_SIDE_MAX": "360",
    "VIDEO_PRESET": "ultrafast",
    "VIDEO_CHUNK_THRESHOLD_SECONDS": "7",
    "VIDEO_CHUNK_SECONDS": "4",
    "MODERATION_FRAMES_MAX": "6",
    "WORKER_GRACEFUL_SHUTDOWN_SECONDS": "5",
}
"""Limits under which tiny clips take the ways of large ones."""


class LoopThread:
    """An event loop that sync tests can hand coroutines to."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="loop", daemon=True)
        self._thread.start()

    def run(self, work: Awaitable[T], *, seconds: float = CALL_SECONDS) -> T:
        async def awaited() -> T:
            return await work

        return asyncio.run_coroutine_threadsafe(awaited(), self._loop).result(seconds)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CALL_SECONDS)
        self._loop.close()


@dataclass
class Platform:
    """One deployment: settings, API and storage; workers as a test starts them."""

    environment: dict[str, str]
    settings: Settings
    api: RunningApi
    storage: Storage
    engine: Engine
    loop: LoopThread
    temporal: Client
    _users: list[Person] = field(default_factory=list)

    # --- people --------------------------------------------------------------------------

    def creator(self, handle: str | None = None) -> Person:
        return self._person(Role.CREATOR, handle)

    def fan(self) -> Person:
        return self._person(Role.FAN, None)

    def moderator(self) -> Person:
        return self._person(Role.MODERATOR, None)

    def _person(self, role: Role, handle: str | None) -> Person:
        user_id = new_id()
        name = handle or f"{role.value}-{user_id[-8:]}"
        user = User(id=user_id, handle=name, role=role.value, display_name=name)
        with transaction(self.engine) as session:
            session.add(user)
            session.flush()
            if role is Role.CREATOR:
                session.add(Creator(user_id=user_id))
            session.flush()
            session.refresh(user)
            session.expunge(user)
        return Person(user_id, user.handle, self.api.client(user))

    def entitle(self, fan: Person, creator: Person) -> None:
        """Give a right to all that the creator has."""
        with transaction(self.engine) as session:
            session.add(
                Entitlement(
                    id=new_id(),
                    fan_id=fan.id,
                    creator_id=creator.id,
                    source=GrantSource.GIFT.value,
                    starts_at=datetime.now(UTC) - timedelta(hours=1),
                )
            )

    def revoke(self, fan: Person) -> None:
        with transaction(self.engine) as session:
            session.execute(
                update(Entitlement)
                .where(Entitlement.fan_id == fan.id)
                .values(revoked_at=datetime.now(UTC))
            )

    # --- what is there -------------------------------------------------------------------

    def row(self, media_id: str) -> Media:
        with transaction(self.engine) as session:
            media = session.get_one(Media, media_id)
            session.expunge(media)
            return media

    def renditions(self, media_id: str, *, generation: int | None = None) -> list[Rendition]:
        query = select(Rendition).where(Rendition.media_id == media_id)
        if generation is not None:
            query = query.where(Rendition.generation == generation)
        with transaction(self.engine) as session:
            rows = list(session.scalars(query))
            session.expunge_all()
            return rows

    def audit(self, media_id: str, action: str) -> list[AuditEntry]:
        with transaction(self.engine) as session:
            rows = list(
                session.scalars(
                    select(AuditEntry).where(
                        AuditEntry.subject_id == media_id, AuditEntry.action == action
                    )
                )
            )
            session.expunge_all()
            return rows

    def stored(self, media_id: str) -> dict[str, list[str]]:
        """Keys of the media's objects by what they are: original, private, work, public."""
        storage = self.storage
        places = {
            "original": (storage.quarantine, f"o/{media_id}"),
            "private": (storage.media, f"m/{media_id}/"),
            "work": (storage.media, f"work/{media_id}/"),
            "public": (storage.public, f"p/{media_id}/"),
        }
        return {
            name: sorted(each.key for each in storage.list_prefix(bucket, prefix))
            for name, (bucket, prefix) in places.items()
        }

    def age(self, media_id: str, by: timedelta) -> None:
        """Move a media's and its upload's moments into the past, as if so much time had gone."""
        with transaction(self.engine) as session:
            for table, key in ((Media, Media.id), (Upload, Upload.media_id)):
                moments = [
                    column
                    for column in table.__table__.columns
                    if isinstance(column.type, DateTime)
                ]
                session.execute(
                    update(table)
                    .where(key == media_id)
                    .values({column.name: column - by for column in moments})
                )

    def sweep(self) -> SweepReport:
        """One tick of the sweep, on this platform's workers."""
        return self.ask(
            lambda client: client.execute_workflow(
                SweepMedia.run,
                id=f"{self.settings.task_queue_prefix}{sweep_workflow_id('test')}:{new_id()}",
                task_queue=queue_name(Queue.WORKFLOWS, prefix=self.settings.task_queue_prefix),
            )
        )

    def ask(self, question: Callable[[Client], Awaitable[T]]) -> T:
        """Put a question to Temporal."""
        return self.loop.run(question(self.temporal))

    def until_run_over(self, media_id: str) -> None:
        """Its owner hears of a refusal or a cancellation first; then the run clears up."""

        async def over(client: Client) -> None:
            try:
                await client.get_workflow_handle(ingest_workflow_id(media_id)).result()
            except WorkflowFailureError as error:
                if not isinstance(error.cause, CancelledError):
                    raise

        self.ask(over)

    # --- workers -------------------------------------------------------------------------

    @contextmanager
    def working(self, *queues: Queue, **changes: Any) -> Iterator[None]:
        """Workers in this process for these queues (default: all), until the block is left.

        Args:
            changes: settings that differ from the platform's.
        """
        settings = self.settings.model_copy(update=changes)
        stop = asyncio.Event()
        ready = threading.Event()
        serving = asyncio.run_coroutine_threadsafe(
            self._serve(settings, queues or tuple(Queue), ready, stop), self.loop._loop
        )
        deadline = time.monotonic() + START_SECONDS
        while not ready.wait(0.1):
            if serving.done():
                serving.result()
            assert time.monotonic() < deadline, "the workers did not start"
        try:
            yield
        finally:
            self.loop._loop.call_soon_threadsafe(stop.set)
            serving.result(START_SECONDS)

    async def _serve(
        self,
        settings: Settings,
        queues: Sequence[Queue],
        ready: threading.Event,
        stop: asyncio.Event,
    ) -> None:
        with open_worker_parts(settings, self.temporal) as parts:
            async with AsyncExitStack() as stack:
                for worker in build_workers(self.temporal, settings, queues, parts):
                    await stack.enter_async_context(worker)
                ready.set()
                await stop.wait()

    @contextmanager
    def worker_process(self, *queues: Queue, log: Path) -> Iterator[subprocess.Popen[bytes]]:
        """`python worker.py` as it runs in production; killed at the end if still there."""
        names = ",".join(queue.value for queue in queues)
        environment = {
            **{k: v for k, v in os.environ.items() if k.lower() not in Settings.model_fields},
            **self.environment,
        }
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "worker.py", "--queue", names],
                cwd=ROOT,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            self._await_polling(process, queues, log)
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(START_SECONDS)

    def _await_polling(
        self, process: subprocess.Popen[bytes], queues: Sequence[Queue], log: Path
    ) -> None:
        part = WorkerProcess("worker", *queues)
        deadline = time.monotonic() + START_SECONDS
        while True:
            assert process.poll() is None, log.read_text()
            try:
                part.check_process(self.environment, pid=process.pid)
            except NotReady:
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
            else:
                return


@contextmanager
def deployed(
    environment: Mapping[str, str],
    *,
    name: str,
    storage: Storage,
    engine: Engine,
    **changes: str,
) -> Iterator[Platform]:
    """The API on this test worker's share of the stack, with task queues of its own, so that
    no other test's run is picked up. `changes` are environment variables."""
    environment = {**environment, **SMALL, **changes}
    environment["TASK_QUEUE_PREFIX"] += f"{name}-"
    settings = settings_from(environment)
    with ExitStack() as stack:
        loop = LoopThread()
        stack.callback(loop.close)
        temporal = loop.run(connect(settings))
        api = stack.enter_context(serving(settings))
        environment["API_PUBLIC_URL"] = api.url
        yield Platform(environment, api.settings, api, storage, engine, loop, temporal)
