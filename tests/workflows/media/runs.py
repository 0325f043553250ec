"""Running one scripted ingest, for tests and for the recorder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import uuid4

from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from domain.ids import ingest_workflow_id
from tests.workflows.media.scripted import Scripted
from workflows.media.ingest import IngestMedia
from workflows.media.messages import IngestInput, IngestResult
from workflows.media.start import start_ingest
from workflows.queues import Queue, queue_name
from workflows.runner import WORKFLOWS, workflow_runner

Handle = WorkflowHandle[IngestMedia, IngestResult]


@asynccontextmanager
async def serving(client: Client, scripted: Scripted) -> AsyncIterator[str]:
    """Workers on queues of their own; gives the queues' prefix."""
    prefix = f"t{uuid4().hex[:8]}-"
    workers = [
        Worker(
            client,
            task_queue=queue_name(Queue.WORKFLOWS, prefix=prefix),
            workflows=list(WORKFLOWS),
            workflow_runner=workflow_runner(),
        ),
        *(
            Worker(
                client,
                task_queue=queue_name(queue, prefix=prefix),
                activities=scripted.activities(),
                max_heartbeat_throttle_interval=timedelta(milliseconds=200),
            )
            for queue in (Queue.MEDIA, Queue.IO)
        ),
    ]
    async with workers[0], workers[1], workers[2]:
        yield prefix


@asynccontextmanager
async def running(client: Client, scripted: Scripted) -> AsyncIterator[Handle]:
    """One ingest on workers of its own."""
    media_id = str(uuid4())
    async with serving(client, scripted) as prefix:
        await start_ingest(
            client,
            IngestInput(media_id=media_id, creator_id=str(uuid4())),
            queue_prefix=prefix,
            kind=scripted.kind.value,
        )
        handle: Handle = client.get_workflow_handle(
            ingest_workflow_id(media_id), result_type=IngestResult
        )
        yield handle


async def waiting(handle: Handle, step: str) -> None:
    """Until the run waits for an operator at `step`."""
    async with asyncio.timeout(15):
        while step not in await handle.query(IngestMedia.waiting_steps):
            await asyncio.sleep(0.05)


async def cancel_at(handle: Handle, scripted: Scripted, call: str) -> None:
    """Cancel the run as soon as the activity `call` has begun."""
    async with asyncio.timeout(15):
        while call not in scripted.calls:
            await asyncio.sleep(0.05)
    await handle.cancel()
