"""What a worker does with its work when it is told to stop."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker

from tests.workflows.configured import settings_of
from tests.workflows.test_deploys import blocked
from worker import activity_worker, hand_back
from workflows.declarations import implements
from workflows.mail import steps as mail_steps
from workflows.mail.messages import MailEnd, MailOrder
from workflows.mail.send import SendMail
from workflows.mail.start import start_mail
from workflows.media import steps as media_steps
from workflows.media.ingest import IngestMedia
from workflows.media.messages import IngestInput, Inspection, MediaRef, RenderedImage, RenderInput
from workflows.media.start import start_ingest
from workflows.queues import Queue, queue_name
from workflows.runner import workflow_runner
from workflows.subscriptions import steps as subscription_steps
from workflows.subscriptions.messages import SubscriptionLook, SubscriptionOrder, Tending
from workflows.subscriptions.start import tend_keeping
from workflows.subscriptions.subscription import KeepSubscription

ROOT = Path(__file__).parents[2]


class Steps:
    """Steps that wait until a test lets them go on."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.tended = 0
        self.rendered_from: list[Any] = []

    @implements(mail_steps.send_mail)
    async def send_mail(self, order: MailOrder) -> MailEnd:
        self.begun.set()
        await self.may_end.wait()
        return MailEnd(f"sent at attempt {activity.info().attempt} of {order.mail_id}")

    @implements(subscription_steps.tend_subscription)
    async def tend_subscription(self, order: Tending) -> SubscriptionLook:
        self.tended += 1
        raise blocked()

    @implements(media_steps.inspect_original)
    async def inspect_original(self, ref: MediaRef) -> Inspection:
        return Inspection("image", "image/jpeg", 10, "0" * 64, "clean")  # type: ignore[arg-type]

    @implements(media_steps.render_image)
    async def render_image(self, order: RenderInput) -> RenderedImage:
        info = activity.info()
        if info.attempt == 1:
            activity.heartbeat("two segments")
            self.begun.set()
            await asyncio.Event().wait()
        self.rendered_from += info.heartbeat_details
        self.may_end.set()
        raise blocked()


def worker_of(client: Client, prefix: str, queue: Queue, *activities: Callable[..., Any]) -> Worker:
    settings = settings_of(task_queue_prefix=prefix)
    return activity_worker(client, settings, queue, 2, activities)


def deciding(client: Client, prefix: str, *workflows: type) -> Worker:
    return Worker(
        client,
        task_queue=queue_name(Queue.WORKFLOWS, prefix=prefix),
        workflows=workflows,
        workflow_runner=workflow_runner(),
    )


async def test_a_mail_that_is_being_sent_is_finished_and_nothing_new_is_begun(
    workflow_client: Client,
) -> None:
    prefix, steps = f"t{uuid4().hex[:8]}-", Steps()
    io = worker_of(workflow_client, prefix, Queue.IO, steps.send_mail)
    money = worker_of(workflow_client, prefix, Queue.MONEY, steps.tend_subscription)
    async with deciding(workflow_client, prefix, SendMail, KeepSubscription):
        async with io, money:
            mail = await start_mail(workflow_client, str(uuid4()), queue_prefix=prefix)
            await asyncio.wait_for(steps.begun.wait(), 20)
            handing_back = asyncio.create_task(hand_back([io, money]))
            while not money.is_shutdown:
                await asyncio.sleep(0.05)
            order = SubscriptionOrder(str(uuid4()), str(uuid4()))
            late = await tend_keeping(workflow_client, order, queue_prefix=prefix)
            handle = workflow_client.get_workflow_handle(late)
            async with asyncio.timeout(20):
                while not (await handle.describe()).raw_description.pending_activities:
                    await asyncio.sleep(0.05)
            assert not handing_back.done()
            steps.may_end.set()
            await handing_back
        sent = workflow_client.get_workflow_handle(mail, result_type=MailEnd)
        assert (await sent.result()).outcome.startswith("sent at attempt 1")
        assert steps.tended == 0
        await handle.terminate("the test is over")


async def test_an_encode_is_handed_back_long_before_the_grace_of_other_queues_is_over(
    workflow_client: Client, dev_server_address: str
) -> None:
    """Another worker has it within seconds, with what the first one had told."""
    prefix, steps = f"t{uuid4().hex[:8]}-", Steps()
    io = worker_of(workflow_client, prefix, Queue.IO, steps.inspect_original)
    elsewhere = await Client.connect(
        dev_server_address, data_converter=workflow_client.data_converter
    )
    first, second = (
        worker_of(client, prefix, Queue.MEDIA, steps.render_image)
        for client in (workflow_client, elsewhere)
    )
    async with deciding(workflow_client, prefix, IngestMedia), io:
        async with first:
            job = IngestInput(media_id=str(uuid4()), creator_id=str(uuid4()))
            run = await start_ingest(workflow_client, job, queue_prefix=prefix, kind="image")
            await asyncio.wait_for(steps.begun.wait(), 20)
            async with second:
                asked = time.monotonic()
                await hand_back([first])
                await asyncio.wait_for(steps.may_end.wait(), 20)
                assert time.monotonic() - asked < 10
        await workflow_client.get_workflow_handle(run).terminate("the test is over")
    assert steps.rendered_from == ["two segments"]


def test_a_worker_that_does_not_stop_is_ended() -> None:
    stuck = "import time, worker; worker.end_after(0.1); time.sleep(60)"
    ended = subprocess.run([sys.executable, "-c", stuck], cwd=ROOT, timeout=30, check=False)
    assert ended.returncode == 1
