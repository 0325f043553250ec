"""Two builds of the workers on a real server: who does what while one gives way to the other."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from uuid import uuid4

import pytest
from temporalio import activity
from temporalio.client import Client
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError
from temporalio.worker import Worker

from ops.deploys import NOT_DRAINED, REFUSED, Deploys, act, parser
from tests.workflows.configured import settings_of
from tests.workflows.mail.runs import Scripted
from worker import build_workers
from workflows.attention import OperatorChoice
from workflows.mail.messages import MailEnd
from workflows.mail.send import SEND_STEP, SendMail
from workflows.mail.start import start_mail
from workflows.policies import BLOCKED
from workflows.queues import Queue, queue_name
from workflows.subscriptions.messages import SubscriptionOrder
from workflows.subscriptions.start import tend_keeping
from workflows.subscriptions.subscription import KeepSubscription

RAMPED = 16


def blocked() -> ApplicationError:
    return ApplicationError("an operator has to look", type=BLOCKED, non_retryable=True)


@activity.defn(dynamic=True)
async def waits_for_an_operator(_: Sequence[RawValue]) -> None:
    raise blocked()


class Deployment:
    """A deployment of a name and queues of its own, whose builds a test starts and ends."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.name = f"t{uuid4().hex[:8]}"
        self.prefix = f"{self.name}-"
        self.deploys = Deploys(client, self.name)

    def build(self, build_id: str) -> Worker:
        """The worker of `worker.py` for workflows."""
        settings = settings_of(
            task_queue_prefix=self.prefix,
            worker_deployment_name=self.name,
            worker_build_id=build_id,
        )
        (worker,) = build_workers(self.client, settings, [Queue.WORKFLOWS], None)
        return worker

    def steps(self, scripted: Scripted) -> tuple[Worker, Worker]:
        """Workers of steps have no build: they serve every one of the workflows'."""
        return (
            Worker(
                self.client,
                task_queue=queue_name(Queue.IO, prefix=self.prefix),
                activities=scripted.activities(),
            ),
            Worker(
                self.client,
                task_queue=queue_name(Queue.MONEY, prefix=self.prefix),
                activities=[waits_for_an_operator],
            ),
        )

    async def command(self, *arguments: str) -> int:
        """As on the command line; again while the server has not seen the build's worker yet."""
        async with asyncio.timeout(20):
            while True:
                try:
                    return await act(self.deploys, parser().parse_args(arguments))
                except RPCError:
                    await asyncio.sleep(0.1)

    async def mail(self) -> str:
        return await start_mail(self.client, str(uuid4()), queue_prefix=self.prefix)

    async def build_of(self, workflow_id: str) -> str:
        """That did the last step."""
        seen = await self.client.get_workflow_handle(workflow_id).describe()
        info = seen.raw_description.workflow_execution_info.versioning_info
        return info.deployment_version.build_id

    async def until_on(self, workflow_id: str, build_id: str) -> None:
        async with asyncio.timeout(20):
            while await self.build_of(workflow_id) != build_id:
                await asyncio.sleep(0.05)


async def test_a_new_build_takes_over_while_short_runs_end_on_the_old_one(
    workflow_client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    there = Deployment(workflow_client)
    scripted = Scripted(fails=[blocked()])
    io, money = there.steps(scripted)
    async with io, money, there.build("one"):
        await there.command("promote", "one")
        short = await there.mail()
        order = SubscriptionOrder(str(uuid4()), str(uuid4()))
        long = await tend_keeping(workflow_client, order, queue_prefix=there.prefix)
        await there.until_on(short, "one")
        await there.until_on(long, "one")
        async with there.build("two"):
            await there.command("ramp", "two", "50")
            ramped = [await there.mail() for _ in range(RAMPED)]
            for workflow_id in ramped:
                await workflow_client.get_workflow_handle(workflow_id).result()
            begun_on = Counter([await there.build_of(each) for each in ramped])
            assert begun_on["one"] and begun_on["two"], "each build began some of the new runs"

            await there.command("promote", "two")
            later = await there.mail()
            await workflow_client.get_workflow_handle(later).result()
            assert await there.build_of(later) == "two", "new runs begin on the new build"
            await tend_keeping(workflow_client, order, queue_prefix=there.prefix)
            await there.until_on(long, "two")
            assert await there.command("drain", "one") == NOT_DRAINED, "a run is open on it"
            assert await there.command("drain", "noe") == REFUSED, "nobody may take it as drained"

            handle = workflow_client.get_workflow_handle(short, result_type=MailEnd)
            await handle.execute_update(
                SendMail.retry_step, OperatorChoice(SEND_STEP, "olga", "again")
            )
            assert (await handle.result()).outcome == "sent"
            assert await there.build_of(short) == "one", "a short run ends where it began"
            assert await there.command("drain", "one", "--wait", "30") == 0
            shown = capsys.readouterr().out
            assert " drained " in shown.splitlines()[-1]
            await workflow_client.get_workflow_handle(long).terminate("the test is over")


async def test_an_operator_pins_a_run_and_lets_it_go(workflow_client: Client) -> None:
    there = Deployment(workflow_client)
    io, money = there.steps(Scripted())
    order = SubscriptionOrder(str(uuid4()), str(uuid4()))
    async with io, money, there.build("one"), there.build("two"):
        await there.command("promote", "one")
        run = await tend_keeping(workflow_client, order, queue_prefix=there.prefix)
        await there.until_on(run, "one")
        await there.command("pin", run, "one")
        await there.command("promote", "two")
        await tend_keeping(workflow_client, order, queue_prefix=there.prefix)
        handle = workflow_client.get_workflow_handle(run)
        assert await handle.query(KeepSubscription.waiting_steps), "its step is blocked"
        assert await there.build_of(run) == "one"
        await there.command("release", run)
        await tend_keeping(workflow_client, order, queue_prefix=there.prefix)
        await there.until_on(run, "two")
        await handle.terminate("the test is over")
