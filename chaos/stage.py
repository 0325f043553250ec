"""One stack, and what everybody on it needs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError
from temporalio.client import (
    Client,
    ScheduleActionExecutionStartWorkflow,
    ScheduleHandle,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
)
from temporalio.service import RPCError

from chaos.asking import ANSWER_SECONDS, PATIENCE_SECONDS, PAUSE_SECONDS, Asking, Unanswered
from devstack.client import ApiClient, FileToSend
from devstack.mailbox import Mailbox
from devstack.people import Person, ensure_person
from devstack.stack import Stack
from domain.accounts import Role
from domain.ids import sweep_workflow_id
from infra.db import transaction
from infra.settings import Settings
from infra.storage import Storage

RPC_TIMEOUT = timedelta(seconds=5)
ONE_STEP = 10
"""Events of a history that has one step behind it."""


@dataclass
class Stage:
    """What is there before the first fault, and after the last."""

    stack: Stack
    settings: Settings
    engine: Engine
    temporal: Client
    storage: Storage
    mailbox: Mailbox
    console: Console
    video: FileToSend
    """Long enough to be interrupted in the middle of its encode."""
    staff: Person

    @asynccontextmanager
    async def asking(self, person: Person | None) -> AsyncIterator[Asking]:
        """Somebody's client, closed again afterwards."""
        token = person.token if person else None
        async with ApiClient(
            self.settings.api_public_url, token, timeout_seconds=ANSWER_SECONDS
        ) as client:
            yield Asking(client)

    async def person(self, handle: str, role: Role) -> Person:
        return await asyncio.to_thread(ensure_person, self.settings, handle, role)

    async def rows(
        self, query: str, *, patience_seconds: float = PATIENCE_SECONDS, **values: Any
    ) -> list[tuple[Any, ...]]:
        """What the database says, asked again while it is away.

        Raises:
            Unanswered: it is away for all that time.
        """

        def ask() -> list[tuple[Any, ...]]:
            with transaction(self.engine) as session:
                return [tuple(row) for row in session.execute(text(query), values)]

        deadline = time.monotonic() + patience_seconds
        while True:
            try:
                return await asyncio.to_thread(ask)
            except OperationalError as error:
                if time.monotonic() > deadline:
                    raise Unanswered(f"database: {error.orig}") from error
            await asyncio.sleep(PAUSE_SECONDS)

    async def objects_of(self, media_id: str) -> list[str]:
        """Keys of all that storage has of a media."""
        settings = self.settings

        def ask() -> list[str]:
            return [
                each.key
                for bucket, prefix in (
                    (settings.s3_bucket_quarantine, "o/"),
                    (settings.s3_bucket_media, "m/"),
                    (settings.s3_bucket_media, "work/"),
                    (settings.s3_bucket_public, "p/"),
                )
                for each in self.storage.list_prefix(bucket, f"{prefix}{media_id}")
            ]

        return await asyncio.to_thread(ask)

    # --- schedules -----------------------------------------------------------------------

    async def trigger(self, kind: str) -> datetime:
        """Have a sweep run now; when it was asked for."""
        return await self.trigger_schedule(sweep_workflow_id(kind))

    async def trigger_schedule(self, name: str) -> datetime:
        """As `temporal schedule trigger`, again until the server answers.

        Raises:
            Unanswered: it does not in all that time.
        """
        since = datetime.now(UTC)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                await self._schedule(name).trigger(rpc_timeout=RPC_TIMEOUT)
                return since
            except RPCError as error:
                if time.monotonic() > deadline:
                    raise Unanswered(f"schedule {name}: {error}") from error
            await asyncio.sleep(PAUSE_SECONDS)

    async def tick(self, kind: str, since: datetime) -> str:
        """How the best of a sweep's runs stands that began at or after `since`, to the second."""
        schedule = self._schedule(sweep_workflow_id(kind))
        info = (await schedule.describe(rpc_timeout=RPC_TIMEOUT)).info
        states = ["none has begun"]
        for result in info.recent_actions:
            if result.started_at >= since.replace(microsecond=0):
                action = result.action
                assert isinstance(action, ScheduleActionExecutionStartWorkflow)
                handle = self.temporal.get_workflow_handle(action.workflow_id)
                run = await handle.describe(rpc_timeout=RPC_TIMEOUT)
                states.append(_state_of(run))
        return "completed" if "completed" in states else states[-1]

    def _schedule(self, name: str) -> ScheduleHandle:
        return self.temporal.get_schedule_handle(f"{self.settings.task_queue_prefix}{name}")


def _state_of(run: WorkflowExecutionDescription) -> str:
    if run.status is not WorkflowExecutionStatus.RUNNING:
        return run.status.name.lower() if run.status is not None else "unknown"
    is_idle = not run.raw_description.pending_activities and run.history_length > ONE_STEP
    return "waits for a timer" if is_idle else "running"
