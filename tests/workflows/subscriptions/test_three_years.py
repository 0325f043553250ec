"""One subscription through three years: the real workflow on a server that skips time, with the
real activities on Postgres, and a Stripe in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from domain.accounts import Role
from domain.ids import subscription_workflow_id
from domain.subscriptions.periods import months_after
from infra.models import PaymentMethod, Tier, User
from tests.harness.rows import MakeTier, MakeUser
from tests.harness.stripe import GiveCard
from tests.harness.subscriptions import DAY, Keeper
from tests.workflows.subscriptions.runs import skipping_time
from workflows.queues import Queue, queue_name
from workflows.runner import WORKFLOWS, workflow_runner
from workflows.subscriptions.messages import (
    Cancel,
    ChangeTier,
    ConsentToPrice,
    Pause,
    SubscriptionLook,
    SubscriptionOrder,
    UseNewCard,
)
from workflows.subscriptions.subscription import KeepSubscription

DECLINES = "pm_card_chargeCustomerFail"


@dataclass
class Life:
    """One subscription in its run, and the clock of both."""

    environment: WorkflowEnvironment
    keeper: Keeper
    queue: str

    async def until(self, moment: datetime) -> None:
        await self.environment.sleep(moment - await self.environment.get_current_time())
        self.keeper.now = await self.environment.get_current_time()

    async def subscribe(self, fan: User, tier: Tier, card: PaymentMethod) -> str:
        subscribed = self.keeper.begin(fan, tier, card=card)
        await self.environment.client.start_workflow(
            KeepSubscription.run,
            SubscriptionOrder(subscribed, tier.creator_id),
            id=subscription_workflow_id(subscribed),
            task_queue=self.queue,
        )
        await self.run_of(subscribed).execute_update(KeepSubscription.begin)
        return subscribed

    def run_of(self, subscribed: str) -> WorkflowHandle[KeepSubscription, SubscriptionLook]:
        return self.environment.client.get_workflow_handle_for(
            KeepSubscription.run, subscription_workflow_id(subscribed)
        )


@asynccontextmanager
async def living(keeper: Keeper) -> AsyncIterator[Life]:
    prefix = f"t{uuid4().hex[:8]}-"
    async with skipping_time() as environment:
        queue = queue_name(Queue.WORKFLOWS, prefix=prefix)
        workflows = Worker(
            environment.client,
            task_queue=queue,
            workflows=list(WORKFLOWS),
            workflow_runner=workflow_runner(),
        )
        with ThreadPoolExecutor(2) as threads:
            money = Worker(
                environment.client,
                task_queue=queue_name(Queue.MONEY, prefix=prefix),
                activities=[
                    keeper.activities.tend_subscription,
                    keeper.activities.change_subscription,
                ],
                activity_executor=threads,
            )
            async with workflows, money:
                yield Life(environment, keeper, queue)


@pytest.fixture
async def life(keeper: Keeper) -> AsyncIterator[Life]:
    async with living(keeper) as life:
        yield life


def next_31st(now: datetime) -> datetime:
    """The end of the next January: of all anchors the one that most months are too short for."""
    return now.replace(year=now.year + 1, month=1, day=31, hour=12, minute=0, second=0)


async def test_three_years_with_everything_that_can_happen(
    life: Life, make_user: MakeUser, make_tier: MakeTier, give_card: GiveCard
) -> None:
    keeper, fan, creator = life.keeper, make_user(), make_user(role=Role.CREATOR)
    low, top = make_tier(creator, rank=1), make_tier(creator, rank=2)
    good = give_card(fan)
    start = next_31st(await life.environment.get_current_time())
    await life.until(start)
    subscribed = await life.subscribe(fan, low, good)
    anchor = keeper.row(subscribed).anchor_at
    assert anchor is not None and anchor.day == 31

    # The 31st comes back after each short month.
    await life.until(start + timedelta(days=160))
    assert keeper.row(subscribed).period_index == 6
    assert keeper.row(subscribed).period_end == months_after(anchor, 6)

    # A renewal is declined; access stays through the grace, and a new card pays at once.
    keeper.set(subscribed, payment_method_id=give_card(fan, DECLINES).id)
    await life.until(months_after(anchor, 6) + DAY)
    assert keeper.row(subscribed).state == "past_due" and keeper.has_access(fan)
    done = await life.run_of(subscribed).execute_update(
        KeepSubscription.use_new_card, UseNewCard(good.id)
    )
    assert done.look is not None and done.look.outcome == "active"
    assert keeper.row(subscribed).period_end == months_after(anchor, 7)

    # Up at once for the difference, down with the next period.
    run = life.run_of(subscribed)
    await run.execute_update(KeepSubscription.change_tier, ChangeTier(top.id))
    assert keeper.row(subscribed).tier_id == top.id
    await run.execute_update(KeepSubscription.change_tier, ChangeTier(low.id))
    await life.until(months_after(anchor, 7) + DAY)
    assert keeper.row(subscribed).tier_id == low.id

    # The price rises after notice and consent.
    keeper.set_price(low, 900)
    assert keeper.sweep.tell_of_prices(keeper.now) == 1
    agreed = await life.run_of(subscribed).execute_update(
        KeepSubscription.consent_to_price, ConsentToPrice(900)
    )
    assert agreed.refusal is None
    await life.until(months_after(anchor, 10) + DAY)
    amounts = [charge.amount_minor for charge in keeper.charges(subscribed)]
    assert amounts[-3:] == [500, 900, 900]

    # A pause over a year's end, and a year more: leap days included.
    goes_on = months_after(anchor, 14) + timedelta(days=3)
    await life.run_of(subscribed).execute_update(KeepSubscription.pause, Pause(goes_on))
    await life.until(goes_on - DAY)
    assert keeper.row(subscribed).state == "paused" and not keeper.has_access(fan)
    await life.until(start + timedelta(days=3 * 366))
    row = keeper.row(subscribed)
    assert row.state == "active" and row.anchor_at is not None
    assert timedelta(0) <= row.anchor_at - goes_on < timedelta(minutes=1)

    # Canceled with its period; every charge that was paid is one period or the one upgrade.
    await life.run_of(subscribed).execute_update(KeepSubscription.cancel, Cancel())
    end = keeper.row(subscribed).period_end
    assert end is not None
    await life.until(end + DAY)
    assert keeper.row(subscribed).state == "canceled" and not keeper.has_access(fan)
    paid = [each for each in keeper.charges(subscribed) if each.state == "paid"]
    assert len({each.step for each in paid}) == len(paid)
    assert len(paid) == keeper.row(subscribed).period_index + 1
