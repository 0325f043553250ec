"""Payouts on a server that skips time, over rows that a test changes."""

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

from temporalio.api.enums.v1 import EventType, IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from domain.ids import connect_workflow_id, payout_workflow_id
from tests.workflows.payouts.scripted import Scripted, ScriptedRow
from workflows.attention import OperatorChoice
from workflows.attributes import ALL, NEEDS_ATTENTION
from workflows.payouts.batch import PayoutBatch
from workflows.payouts.connect import Onboard
from workflows.payouts.messages import (
    AccountLook,
    BatchEnd,
    BatchOrder,
    ConnectOrder,
    PayoutLook,
    PayoutOrder,
)
from workflows.payouts.payout import Payout
from workflows.queues import Queue, queue_name
from workflows.runner import WORKFLOWS, workflow_runner

DAY = timedelta(days=1)
Handle = WorkflowHandle[Payout, PayoutLook]
BatchHandle = WorkflowHandle[PayoutBatch, BatchEnd]
AnyHandle = WorkflowHandle[Any, Any]


@asynccontextmanager
async def skipping_time() -> AsyncIterator[WorkflowEnvironment]:
    server = Path(sys.executable).with_name("temporal-test-server")
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(server), data_converter=pydantic_data_converter
    ) as environment:
        # This server stalls on search attributes that it was not told of.
        kinds = {
            key.name: IndexedValueType.INDEXED_VALUE_TYPE_BOOL
            if key is NEEDS_ATTENTION
            else IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
            for key in ALL
        }
        await environment.client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace="default", search_attributes=kinds)
        )
        yield environment


@dataclass
class PayoutRun:
    """What a test changes and asks."""

    environment: WorkflowEnvironment
    scripted: Scripted
    queue: str
    started_at: datetime
    payout_id: str = field(default_factory=lambda: str(uuid4()))

    @property
    def row(self) -> ScriptedRow:
        return self.scripted.row(self.payout_id)

    async def start(self, **order: Any) -> Handle:
        return await self.environment.client.start_workflow(
            Payout.run,
            PayoutOrder(self.payout_id, str(uuid4()), **order),
            id=payout_workflow_id(self.payout_id),
            task_queue=self.queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )

    async def start_batch(self, **order: Any) -> BatchHandle:
        return await self.environment.client.start_workflow(
            PayoutBatch.run,
            BatchOrder(**order),
            id=f"payout-batch-{uuid4()}",
            task_queue=self.queue,
        )

    async def onboard(self) -> WorkflowHandle[Onboard, AccountLook]:
        creator_id = str(uuid4())
        return await self.environment.client.start_workflow(
            Onboard.run,
            ConnectOrder(creator_id),
            id=connect_workflow_id(creator_id),
            task_queue=self.queue,
            start_signal="stripe_changed",
            start_signal_args=["asked", ""],
        )

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for what needs no time to pass."""
        async with asyncio.timeout(15):
            while not condition():
                await asyncio.sleep(0.02)

    async def asleep(self, handle: AnyHandle) -> None:
        """Wait until the run has set a timer: a server that skips time would not wait for a
        worker that is at work."""
        async with asyncio.timeout(15):
            while (await _last_event(handle)) != EventType.EVENT_TYPE_TIMER_STARTED:
                await asyncio.sleep(0.02)

    async def pass_time(self, duration: timedelta) -> None:
        await self.environment.sleep(duration)

    @property
    def last_after(self) -> timedelta:
        """When the latest step was. The server's own clock runs off once nothing waits."""
        assert self.scripted.last_at is not None
        return self.scripted.last_at - self.started_at

    async def retry(self, handle: AnyHandle, step: str) -> None:
        await self.until(lambda: bool(self.scripted.notes) and self.scripted.notes[-1][0] == step)
        await handle.execute_update("retry_step", OperatorChoice(step, "ada"))


async def _last_event(handle: AnyHandle) -> int:
    history = await handle.fetch_history()
    return history.events[-1].event_type


@asynccontextmanager
async def payout_run(environment: WorkflowEnvironment) -> AsyncIterator[PayoutRun]:
    """Workers on queues of their own, and rows that nobody has touched yet."""
    prefix = f"t{uuid4().hex[:8]}-"
    scripted = Scripted()
    queue = queue_name(Queue.WORKFLOWS, prefix=prefix)
    workflows = Worker(
        environment.client,
        task_queue=queue,
        workflows=list(WORKFLOWS),
        workflow_runner=workflow_runner(),
    )
    money = Worker(
        environment.client,
        task_queue=queue_name(Queue.MONEY, prefix=prefix),
        activities=scripted.activities(),  # type: ignore[arg-type]  # Each is one.
    )
    io = Worker(
        environment.client,
        task_queue=queue_name(Queue.IO, prefix=prefix),
        activities=[scripted.record_audit],
    )
    async with workflows, money, io:
        yield PayoutRun(environment, scripted, queue, await environment.get_current_time())
