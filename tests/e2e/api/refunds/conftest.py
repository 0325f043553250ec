"""Sales on a local Stripe, staff around, and workers that carry refunds and disputes out."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine
from temporalio.worker import Worker

from activities.charges.taking import ChargeTaker
from activities.disputes import DisputeActivities
from activities.refunds import RefundActivities
from devstack.stripe import LocalStripe
from infra.settings import Settings
from infra.stripe.gateway import StripeGateway
from infra.temporal import connect
from tests.e2e.api.admin.conftest import Office, office
from tests.harness.sales import Sales
from tests.harness.stripe import GiveCard
from workflows.disputes.dispute import Dispute
from workflows.queues import Queue, queue_name
from workflows.refunds.refund import Refund
from workflows.runner import workflow_runner

__all__ = ["office"]

START_SECONDS = 20


@pytest.fixture
def sales(
    office: Office,
    engine: Engine,
    settings: Settings,
    gateway: StripeGateway,
    local_stripe: LocalStripe,
    give_card: GiveCard,
) -> Sales:
    """Of the owner."""
    taker = ChargeTaker(settings, engine, gateway)
    return Sales(engine, local_stripe, taker, give_card, office.people.owner.user)


@pytest.fixture
def money_workers(settings: Settings, engine: Engine, gateway: StripeGateway) -> Iterator[None]:
    """Refunds and disputes are carried out, by workers in a thread of their own."""
    began = threading.Event()
    loop = asyncio.new_event_loop()
    stopping = asyncio.Event()

    async def work() -> None:
        client = await connect(settings)
        prefix = settings.task_queue_prefix
        refunding = RefundActivities(settings, engine, gateway, client)
        following = DisputeActivities(settings, engine, gateway)
        with ThreadPoolExecutor(2) as pool:
            workflows = Worker(
                client,
                task_queue=queue_name(Queue.WORKFLOWS, prefix=prefix),
                workflows=[Refund, Dispute],
                workflow_runner=workflow_runner(),
            )
            money = Worker(
                client,
                task_queue=queue_name(Queue.MONEY, prefix=prefix),
                activities=[
                    *refunding.on_queues()[Queue.MONEY],
                    *following.on_queues()[Queue.MONEY],
                ],
                activity_executor=pool,
            )
            async with workflows, money:
                began.set()
                await stopping.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(work()), name="money")
    thread.start()
    try:
        assert began.wait(START_SECONDS), "the workers did not start"
        yield
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join(START_SECONDS)
        loop.close()
