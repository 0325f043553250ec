"""Workers that carry payments out, on a Stripe of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker

from activities.charges import ChargeActivities, ChargeSweepActivities
from activities.charges.taking import ChargeTaker
from activities.payment_methods import CardActivities
from activities.subscriptions import SubscriptionActivities
from activities.subscriptions.sweeping import SubscriptionSweep
from domain.subscriptions.rules import Rules
from infra.settings import Settings
from infra.stripe.gateway import StripeGateway
from workflows.queues import Queue, queue_name
from workflows.runner import WORKFLOWS, workflow_runner


@pytest.fixture
async def paying(
    settings: Settings, engine: Engine, gateway: StripeGateway, temporal_client: Client
) -> AsyncIterator[None]:
    """Runs of payments and cards go on while the test does."""
    prefix = settings.task_queue_prefix
    rules = Rules()
    taker = ChargeTaker(settings, engine, gateway)
    sweep = SubscriptionSweep(engine, temporal_client, queue_prefix=prefix, rules=rules)
    slices = (
        ChargeActivities(settings, engine, gateway),
        ChargeSweepActivities(settings, engine, gateway, temporal_client),
        CardActivities(engine, gateway),
        SubscriptionActivities(engine, taker, sweep, rules),
    )
    with ThreadPoolExecutor(4) as threads:
        workflows = Worker(
            temporal_client,
            task_queue=queue_name(Queue.WORKFLOWS, prefix=prefix),
            workflows=list(WORKFLOWS),
            workflow_runner=workflow_runner(),
        )
        activities = Worker(
            temporal_client,
            task_queue=queue_name(Queue.MONEY, prefix=prefix),
            activities=[each for part in slices for each in part.on_queues()[Queue.MONEY]],
            activity_executor=threads,
        )
        async with workflows, activities:
            yield
            await _end_runs(temporal_client, queue_name(Queue.WORKFLOWS, prefix=prefix))


async def _end_runs(client: Client, queue: str) -> None:
    """What the test left waiting would go on in the next one, without its rows."""
    query = f"TaskQueue = '{queue}' AND ExecutionStatus = 'Running'"
    async for run in client.list_workflows(query):
        handle = client.get_workflow_handle(run.id, run_id=run.run_id)
        try:
            await handle.terminate("the test is over")
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:  # It ended, and the list is late.
                raise
