"""Workers that send mails, for tests of what the API has sent. See `mailbox` for what came."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine
from temporalio.client import Client
from temporalio.worker import Worker

from activities.auditing import AuditActivities
from activities.mail import SendActivities
from infra.settings import Settings
from infra.temporal import connect
from workflows.mail.send import SendMail
from workflows.queues import Queue, queue_name
from workflows.runner import workflow_runner

START_SECONDS = 20


def mail_workers(
    client: Client, settings: Settings, engine: Engine, pool: ThreadPoolExecutor
) -> tuple[Worker, Worker]:
    """For workflows and for steps, on the queues of these settings."""
    activities = [
        *SendActivities(settings, engine).on_queues()[Queue.IO],
        *AuditActivities(engine).on_queues()[Queue.IO],
    ]
    prefix = settings.task_queue_prefix
    return (
        Worker(
            client,
            task_queue=queue_name(Queue.WORKFLOWS, prefix=prefix),
            workflows=[SendMail],
            workflow_runner=workflow_runner(),
        ),
        Worker(
            client,
            task_queue=queue_name(Queue.IO, prefix=prefix),
            activities=activities,
            activity_executor=pool,
        ),
    )


@contextmanager
def sending(settings: Settings, engine: Engine) -> Iterator[None]:
    """Mails are sent, by workers in a thread of their own, until the block is left."""
    began = threading.Event()
    loop = asyncio.new_event_loop()
    stopping = asyncio.Event()

    async def work() -> None:
        client = await connect(settings)
        with ThreadPoolExecutor(2) as pool:
            first, second = mail_workers(client, settings, engine, pool)
            async with first, second:
                began.set()
                await stopping.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(work()), name="mail")
    thread.start()
    try:
        assert began.wait(START_SECONDS), "the workers that send mails did not start"
        yield
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join(START_SECONDS)
        loop.close()


@pytest.fixture(scope="module")
def mails_are_sent(settings: Settings, worker_engine: Engine) -> Iterator[None]:
    """While the tests of a module run. Elsewhere the runs of mails stay where they are."""
    with sending(settings, worker_engine):
        yield
