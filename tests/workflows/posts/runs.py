"""One post's run on a server that skips time, over a row that a test changes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from domain.ids import publish_workflow_id
from workflows.declarations import implements
from workflows.posts import steps
from workflows.posts.messages import PostLook, PostSweepReport, PublishPostOrder
from workflows.posts.publish import PublishPost
from workflows.queues import Queue, queue_name
from workflows.runner import WORKFLOWS, workflow_runner

Handle = WorkflowHandle[PublishPost, PostLook]
DAY = timedelta(days=1)
SLACK = timedelta(seconds=30)
"""How far a time that was skipped to may lie behind the one that was meant."""


@asynccontextmanager
async def skipping_time() -> AsyncIterator[WorkflowEnvironment]:
    server = Path(sys.executable).with_name("temporal-test-server")
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(server), data_converter=pydantic_data_converter
    ) as environment:
        yield environment


@dataclass
class ScriptedRow:
    """The post's row, and what looks at it."""

    clock: Callable[[], Any]
    due: datetime | None = None
    """When it is scheduled for; None once it is not."""
    outcome: str = "unscheduled"
    """Of a row that is not scheduled."""
    published_at: datetime | None = None
    publications: int = 0
    looks: int = 0
    lost_answers: list[ApplicationError] = field(default_factory=list)
    """What looks raise after they have done their work, as if the worker had died."""

    @implements(steps.publish_if_due)
    async def publish_if_due(self, order: PublishPostOrder) -> PostLook:
        self.looks += 1
        now: datetime = await self.clock()
        if self.due is not None and self.due > now:
            return PostLook("waiting", (self.due - now).total_seconds())
        if self.due is not None:
            self.due, self.outcome = None, "published"
            self.published_at = now
            self.publications += 1
        if self.lost_answers:
            raise self.lost_answers.pop(0)
        return PostLook(self.outcome)

    @implements(steps.sweep_posts)
    async def sweep_posts(self) -> PostSweepReport:
        return PostSweepReport(published=1)


@dataclass
class PostRun:
    """What a test changes and asks."""

    environment: WorkflowEnvironment
    row: ScriptedRow
    queue: str
    started_at: datetime
    post_id: str = field(default_factory=lambda: str(uuid4()))

    async def tend(self, **order: Any) -> Handle:
        """Start the run, or tell the one that is there, and wait until it sleeps or is over: a
        server that skips time would not wait for a worker that is at work.

        Without search attributes: this server stalls on those.
        """
        handle: Handle = await self.environment.client.start_workflow(
            PublishPost.run,
            PublishPostOrder(self.post_id, str(uuid4()), **order),
            id=publish_workflow_id(self.post_id),
            task_queue=self.queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            start_signal="row_changed",
        )
        async with asyncio.timeout(15):
            while await _last_event(handle) not in _AT_REST:
                await asyncio.sleep(0.02)
        return handle

    async def schedule(self, after: timedelta, **order: Any) -> Handle:
        self.row.due = self.started_at + after
        return await self.tend(**order)

    async def change(self, outcome: str) -> Handle:
        """The row is not scheduled any more."""
        self.row.due, self.row.outcome = None, outcome
        return await self.tend()

    async def pass_time(self, duration: timedelta) -> None:
        await self.environment.sleep(duration)

    @property
    def published_after(self) -> timedelta:
        assert self.row.published_at is not None
        return self.row.published_at - self.started_at


_AT_REST = frozenset(
    {
        EventType.EVENT_TYPE_TIMER_STARTED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
    }
)


async def _last_event(handle: Handle) -> int:
    history = await handle.fetch_history()
    return history.events[-1].event_type


@asynccontextmanager
async def post_run(environment: WorkflowEnvironment) -> AsyncIterator[PostRun]:
    """Workers on queues of their own, and a row that nobody has scheduled yet."""
    prefix = f"t{uuid4().hex[:8]}-"
    row = ScriptedRow(environment.get_current_time)
    queue = queue_name(Queue.WORKFLOWS, prefix=prefix)
    workflows = Worker(
        environment.client,
        task_queue=queue,
        workflows=list(WORKFLOWS),
        workflow_runner=workflow_runner(),
    )
    activities = Worker(
        environment.client,
        task_queue=queue_name(Queue.IO, prefix=prefix),
        activities=[row.publish_if_due, row.sweep_posts],
    )
    async with workflows, activities:
        yield PostRun(environment, row, queue, await environment.get_current_time())


def lost_answer() -> ApplicationError:
    return ApplicationError("the worker died before it could answer")
