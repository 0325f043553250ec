from __future__ import annotations

import pytest
from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker

from infra.ids import new_id
from workflows.attributes import NEEDS_ATTENTION
from workflows.queues import Queue
from workflows.runner import workflow_runner
from workflows.stripe_events.messages import EventSweep, EventSweepReport
from workflows.stripe_events.sweep import SweepStripeEvents


@pytest.mark.parametrize("given_up", [0, 2])
async def test_events_that_found_nobody_show_that_they_need_attention(
    workflow_client: Client, given_up: int
) -> None:
    seen: list[EventSweep] = []
    told = EventSweepReport(polled=3, told=1, given_up=given_up)

    @activity.defn(name="sweep_stripe_events")
    async def scripted(sweep: EventSweep) -> EventSweepReport:
        seen.append(sweep)
        return told

    prefix = f"{new_id()}:"
    workflows = Worker(
        workflow_client,
        task_queue=f"{prefix}{Queue.WORKFLOWS.value}",
        workflows=[SweepStripeEvents],
        workflow_runner=workflow_runner(),
    )
    money = Worker(
        workflow_client, task_queue=f"{prefix}{Queue.MONEY.value}", activities=[scripted]
    )
    async with workflows, money:
        handle = await workflow_client.start_workflow(
            SweepStripeEvents.run, id=f"sweep:{prefix}", task_queue=workflows.task_queue
        )
        assert await handle.result() == told
    described = await handle.describe()
    assert described.typed_search_attributes.get(NEEDS_ATTENTION) is (True if given_up else None)
    assert described.start_time is not None
    assert abs((seen[0].at - described.start_time).total_seconds()) < 60
