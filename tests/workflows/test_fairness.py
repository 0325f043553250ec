"""What waits on a queue, and whose turn it is: on a real server, with the runs as they are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from temporalio import activity
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from domain.charges.states import ChargeKind
from domain.ids import unlock_workflow_id
from domain.subscriptions.states import SubscriptionState
from tests.workflows.configured import settings_of
from worker import activity_worker
from workflows.charges.messages import ChargeOrder
from workflows.charges.start import tend_paying
from workflows.declarations import implements
from workflows.media.messages import IngestInput
from workflows.media.start import start_ingest
from workflows.payouts.messages import PayoutOrder
from workflows.payouts.start import start_payout
from workflows.policies import BLOCKED
from workflows.queues import Queue, queue_name
from workflows.runner import WORKFLOWS, workflow_runner
from workflows.subscriptions import steps as subscription_steps
from workflows.subscriptions.messages import SubscriptionLook, SubscriptionOrder, Tending
from workflows.subscriptions.start import begin_now
from workflows.urgency import Urgency

FLOOD = 1000
TURNS = 60
"""Long enough to tell taking turns from standing in line, which would take 1,000."""


class OneSlot:
    """A worker with a single slot that lists what it was given, in order. Whatever it does, an
    operator would have to look: so no run asks for anything further."""

    def __init__(self, client: Client, queue: Queue, prefix: str, *, until: int) -> None:
        self.served: list[activity.Info] = []
        self._until = until
        self._is_enough = asyncio.Event()
        self._worker = Worker(
            client,
            task_queue=queue_name(queue, prefix=prefix),
            activities=[self._anything],
            max_concurrent_activities=1,
            max_concurrent_activity_task_polls=1,
        )

    @activity.defn(dynamic=True)
    async def _anything(self, args: Sequence[RawValue]) -> None:
        self.served.append(activity.info())
        if len(self.served) >= self._until:
            self._is_enough.set()
        raise ApplicationError("enough seen", type=BLOCKED, non_retryable=True)

    async def serve(self) -> list[str]:
        """Workflow ids of what was served first."""
        async with self._worker, asyncio.timeout(60):
            await self._is_enough.wait()
        return [str(info.workflow_id) for info in self.served[: self._until]]


@pytest.fixture
def prefix() -> str:
    return f"t{uuid4().hex[:8]}-"


def deciding(client: Client, prefix: str) -> Worker:
    return Worker(
        client,
        task_queue=queue_name(Queue.WORKFLOWS, prefix=prefix),
        workflows=list(WORKFLOWS),
        workflow_runner=workflow_runner(),
        max_concurrent_workflow_tasks=2,
        max_concurrent_workflow_task_polls=2,
    )


async def test_one_creators_flood_does_not_starve_anothers_single_upload(
    workflow_client: Client, prefix: str
) -> None:
    """The flooding creator's own last upload is the control: it was asked for at the same moment
    as the other's, and it stands in line."""
    flooding, modest = str(uuid4()), str(uuid4())

    async def upload(creator_id: str) -> str:
        job = IngestInput(media_id=str(uuid4()), creator_id=creator_id)
        return await start_ingest(workflow_client, job, queue_prefix=prefix, kind="image")

    for _ in range(FLOOD // 40):
        await asyncio.gather(*(upload(flooding) for _ in range(40)))
    last_of_flood, single = await asyncio.gather(upload(flooding), upload(modest))
    slot = OneSlot(workflow_client, Queue.IO, prefix, until=TURNS)
    async with deciding(workflow_client, prefix):
        served = await slot.serve()
    assert served.index(single) < 10, "with an owner of its own its turn comes at once"
    assert last_of_flood not in served, "without one it waits for all that came before"
    owners = {info.workflow_id: info.priority.fairness_key for info in slot.served}
    assert owners[single] == modest, "steps are served in the name of the run's owner"


async def test_a_fan_who_waits_goes_before_payouts_and_creators_take_turns(
    workflow_client: Client, prefix: str
) -> None:
    flooding, modest = str(uuid4()), str(uuid4())

    async def pay_out(creator_id: str) -> str:
        order = PayoutOrder(str(uuid4()), creator_id)
        return await start_payout(workflow_client, order, queue_prefix=prefix)

    async with deciding(workflow_client, prefix):
        for _ in range(12):
            await pay_out(flooding)
        single = await pay_out(modest)
        unlock = await tend_paying(workflow_client, _unlock(), queue_prefix=prefix)
        await _backlog(workflow_client, prefix, 14)
        served = await OneSlot(workflow_client, Queue.MONEY, prefix, until=6).serve()
    assert unlock in served[:2]
    assert single in served[:4]


async def test_a_fan_who_subscribes_goes_before_renewals_and_these_stay_the_creators(
    workflow_client: Client, prefix: str
) -> None:
    """Three looks: the fan waits for the first; the second begins a period, so the run goes on as
    a new one, which does the third."""
    done: list[activity.Info] = []

    @implements(subscription_steps.tend_subscription)
    async def tend(tending: Tending) -> SubscriptionLook:
        done.append(activity.info())
        soon = tending.at + timedelta(seconds=0.5)
        wake_at = soon if len(done) < 3 else None
        return SubscriptionLook(SubscriptionState.ACTIVE, period_index=len(done), wake_at=wake_at)

    order = SubscriptionOrder(str(uuid4()), str(uuid4()))
    settings = settings_of(task_queue_prefix=prefix)
    money = activity_worker(workflow_client, settings, Queue.MONEY, 1, [tend])
    async with deciding(workflow_client, prefix), money:
        patience = timedelta(seconds=20)
        await begin_now(workflow_client, order, queue_prefix=prefix, patience=patience)
        handle = workflow_client.get_workflow_handle(str(done[0].workflow_id))
        await handle.result()
    assert len({info.workflow_run_id for info in done}) == 2
    assert [info.priority.priority_key for info in done] == [
        Urgency.AWAITED,
        Urgency.LATER,
        Urgency.LATER,
    ]
    assert {info.priority.fairness_key for info in done} == {order.creator_id}


async def test_steps_of_money_begin_no_faster_than_the_setting_says(
    workflow_client: Client, prefix: str
) -> None:
    begun: list[float] = []

    @activity.defn(dynamic=True)
    async def anything(_: Sequence[RawValue]) -> None:
        begun.append(time.monotonic())
        raise ApplicationError("enough seen", type=BLOCKED, non_retryable=True)

    settings = settings_of(task_queue_prefix=prefix, money_steps_per_second=5)
    money = activity_worker(workflow_client, settings, Queue.MONEY, 8, [anything])
    async with deciding(workflow_client, prefix), money, asyncio.timeout(30):
        for _ in range(12):
            order = PayoutOrder(str(uuid4()), str(uuid4()))
            await start_payout(workflow_client, order, queue_prefix=prefix)
        while len(begun) < 12:
            await asyncio.sleep(0.05)
    assert begun[11] - begun[0] > 1, "twelve at five a second, of which the first five are free"


def _unlock() -> ChargeOrder:
    fan_id, post_id = str(uuid4()), str(uuid4())
    return ChargeOrder(
        kind=ChargeKind.UNLOCK,
        subject_id=str(uuid4()),
        step="charge",
        generation=1,
        fan_id=fan_id,
        creator_id=str(uuid4()),
        amount_minor=500,
        currency="usd",
        payment_method_id=str(uuid4()),
        off_session=False,
        workflow_id=unlock_workflow_id(fan_id, post_id),
        at=datetime.now(UTC),
        description="Unlocked post",
    )


async def _backlog(client: Client, prefix: str, wanted: int) -> None:
    """Until so many steps wait on the queue of money. The server counts them every few seconds."""
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=queue_name(Queue.MONEY, prefix=prefix)),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
        report_stats=True,
    )
    async with asyncio.timeout(40):
        while True:
            answer = await client.workflow_service.describe_task_queue(request)
            if answer.stats.approximate_backlog_count >= wanted:
                return
            await asyncio.sleep(0.2)
