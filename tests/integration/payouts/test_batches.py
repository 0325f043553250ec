"""Weekly rounds, and what the sweep releases and starts."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Engine, select, update
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from activities.payouts import BatchActivities
from domain.accounts import Role
from domain.ids import payout_workflow_id
from infra.db import transaction
from infra.models import Payout, PayoutBatch, PayoutSkip
from infra.settings import Settings
from tests.harness.earnings import DAY, Earner
from tests.harness.rows import MakeUser
from workflows.payouts.messages import BatchEnd, BatchPage, BatchPlan, PayoutSweep

NOW = datetime.now(UTC)
MONDAY = "2030-01-07"


@pytest.fixture
def activities(settings: Settings, engine: Engine, temporal_client: Client) -> BatchActivities:
    return BatchActivities(settings, engine, temporal_client, batch=2)


@pytest.fixture
def earners(engine: Engine, make_user: MakeUser) -> list[Earner]:
    """In the order of their ids."""
    made = [Earner(engine, make_user(role=Role.CREATOR)) for _ in range(4)]
    return sorted(made, key=lambda each: each.id)


def plan_all(activities: BatchActivities, *, limit: int) -> list[BatchPlan]:
    plans = [activities.plan_payouts(BatchPage(MONDAY, NOW, None, limit))]
    while plans[-1].after is not None:
        plans.append(activities.plan_payouts(BatchPage(MONDAY, NOW, plans[-1].after, limit)))
    return plans


def skips(engine: Engine) -> dict[str, str]:
    with transaction(engine) as session:
        return {skip.creator_id: skip.reason for skip in session.scalars(select(PayoutSkip))}


def test_everybody_with_something_is_paid_or_told_why_not(
    activities: BatchActivities, earners: list[Earner], engine: Engine
) -> None:
    ready, poor, unconnected, empty = earners
    for each in (ready, poor, empty):
        each.connect()
    ready.earn(4_000)
    poor.earn(1_600)
    unconnected.earn(4_000)
    for _ in range(2):
        plans = plan_all(activities, limit=2)
        planned = [each.creator_id for plan in plans for each in plan.payouts]
        assert planned == [ready.id]
        assert sum(plan.skipped for plan in plans) == 2
    assert skips(engine) == {
        poor.id: "below_payout_minimum",
        unconnected.id: "payout_account_missing",
    }
    [payout] = ready.payouts()
    assert (payout.kind, payout.state, payout.batch_day) == (
        "weekly",
        "requested",
        date.fromisoformat(MONDAY),
    )


def test_a_round_passes_over_who_has_just_asked_for_a_payout(
    activities: BatchActivities, earner: Earner, engine: Engine
) -> None:
    earner.connect()
    earner.earn(4_000)
    earner.in_review()
    earner.earn(8_000)
    [plan] = plan_all(activities, limit=10)
    assert (plan.payouts, plan.skipped) == ((), 1)
    assert skips(engine) == {earner.id: "payout_in_progress"}


def test_a_round_says_when_it_is_over(activities: BatchActivities, engine: Engine) -> None:
    plan_all(activities, limit=10)
    end = BatchEnd(MONDAY, NOW + timedelta(hours=1), 0, 0)
    activities.finish_batch(end)
    activities.finish_batch(BatchEnd(MONDAY, NOW + timedelta(hours=2), 0, 0))
    with transaction(engine) as session:
        batch = session.get_one(PayoutBatch, date.fromisoformat(MONDAY))
    assert batch.finished_at == end.at


async def test_earnings_are_available_once_their_time_has_come(
    activities: BatchActivities, earners: list[Earner]
) -> None:
    for each in earners:
        each.sell(1_000, at=NOW)
    for days, pending in ((6, 800), (7, None), (8, None)):
        report = await ActivityEnvironment().run(
            activities.sweep_payouts, PayoutSweep(NOW + days * DAY)
        )
        assert report.released_creators == (4 if days == 7 else 0)
        assert [each.balances().get("pending") for each in earners] == [pending] * 4
    assert all(each.balances() == {"available": 800} for each in earners)


async def test_a_payout_that_a_crash_left_unstarted_gets_its_run(
    activities: BatchActivities, earner: Earner, temporal_client: Client
) -> None:
    earner.connect()
    earner.earn(4_000)
    [plan] = plan_all(activities, limit=10)
    [planned] = plan.payouts
    soon = await ActivityEnvironment().run(activities.sweep_payouts, PayoutSweep(NOW))
    assert soon.started_runs == 0
    later = PayoutSweep(NOW + timedelta(minutes=2))
    for _ in range(2):
        report = await ActivityEnvironment().run(activities.sweep_payouts, later)
        assert report.started_runs == 1
    handle = temporal_client.get_workflow_handle(payout_workflow_id(planned.payout_id))
    assert (await handle.describe()).status is not None
    await handle.terminate("the test is over")


async def test_a_run_that_lives_is_not_asked_for_again(
    activities: BatchActivities, earner: Earner, engine: Engine
) -> None:
    earner.connect()
    earner.earn(4_000)
    earner.in_review()
    for days, started in ((1, 0), (3, 1)):
        with transaction(engine) as session:
            session.execute(update(Payout).values(updated_at=NOW - days * DAY))
        report = await ActivityEnvironment().run(activities.sweep_payouts, PayoutSweep(NOW))
        assert report.started_runs == started
