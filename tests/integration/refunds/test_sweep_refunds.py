"""What the sweep of refunds begins, asks for and forgets."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, select, update
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from activities.refunds import RefundActivities
from domain.ids import dispute_workflow_id, refund_workflow_id
from domain.unlocks.states import UnlockState
from infra.db import transaction
from infra.ids import new_id
from infra.models import AccessEntry, Dispute, Refund, Unlock, User
from tests.harness.sales import Sales
from workflows.refunds.messages import RefundStep, RefundSweep, RefundSweepReport

MINUTE = timedelta(minutes=1)


async def sweep(refunding: RefundActivities, at: datetime) -> RefundSweepReport:
    return await ActivityEnvironment().run(refunding.sweep_refunds, RefundSweep(at))


async def end_run(client: Client, refund_id: str) -> None:
    """Fails where there is none."""
    await client.get_workflow_handle(refund_workflow_id(refund_id)).terminate()


async def test_a_refund_that_nobody_started_is_started_after_a_moment(
    sales: Sales, refunding: RefundActivities, fan: User, temporal_client: Client
) -> None:
    refund = sales.ask_refund(sales.sell(fan))
    assert (await sweep(refunding, sales.now + MINUTE)).runs_begun == 0
    assert (await sweep(refunding, sales.now + 3 * MINUTE)).runs_begun == 1
    await end_run(temporal_client, refund.id)
    refunding.send_refund(RefundStep(refund.id, sales.now))
    assert (await sweep(refunding, sales.now + 9 * MINUTE)).runs_begun == 0


async def test_a_dispute_whose_run_was_not_told_of_the_decision_is_told_after_a_moment(
    sales: Sales, refunding: RefundActivities, engine: Engine, fan: User, temporal_client: Client
) -> None:
    charge = sales.sell(fan)
    with transaction(engine) as session:
        session.add(
            Dispute(
                id=new_id(),
                stripe_dispute_id="dp_told",
                charge_id=charge.id,
                amount_minor=charge.amount_minor,
                currency=charge.currency,
                state="needs_response",
                is_inquiry=False,
                reason="fraudulent",
                opened_at=sales.now,
                answer="accept",
                answered_by="ada",
                answered_at=sales.now,
            )
        )
    assert (await sweep(refunding, sales.now + MINUTE)).disputes_told == 0
    assert (await sweep(refunding, sales.now + 3 * MINUTE)).disputes_told == 1
    await temporal_client.get_workflow_handle(dispute_workflow_id("dp_told")).terminate()
    with transaction(engine) as session:
        session.execute(update(Dispute).values(state="under_review"))
    assert (await sweep(refunding, sales.now + 9 * MINUTE)).disputes_told == 0


async def test_a_post_that_was_gone_when_it_was_paid_for_is_refunded_by_itself(
    sales: Sales, refunding: RefundActivities, engine: Engine, fan: User, temporal_client: Client
) -> None:
    charge = sales.sell(fan)
    with transaction(engine) as session:
        session.execute(
            update(Unlock)
            .where(Unlock.id == charge.subject_id)
            .values(state=UnlockState.REFUNDING.value)
        )
    for minutes in (0, 3):
        await sweep(refunding, sales.now + minutes * MINUTE)
    with transaction(engine) as session:
        [refund] = session.scalars(select(Refund)).all()
    assert (refund.reason, refund.requested_as) == ("not_delivered", "system")
    await end_run(temporal_client, refund.id)
    refunding.send_refund(RefundStep(refund.id, sales.now))
    with transaction(engine) as session:
        unlock = session.get_one(Unlock, charge.subject_id)
    assert (unlock.state, unlock.ended_reason) == ("ended", "item_gone")
    sales.check_books()


async def test_what_a_dispute_kept_from_going_back_goes_back_once_it_is_won(
    sales: Sales, refunding: RefundActivities, engine: Engine, fan: User, temporal_client: Client
) -> None:
    charge = sales.sell(fan)
    with transaction(engine) as session:
        session.execute(
            update(Unlock)
            .where(Unlock.id == charge.subject_id)
            .values(state=UnlockState.REFUNDING.value)
        )
    await sweep(refunding, sales.now)
    with transaction(engine) as session:
        session.execute(
            update(Refund).values(
                state="refused", refused_code="charge_disputed", closed_at=sales.now
            )
        )
    for minutes in (5, 10):
        await sweep(refunding, sales.now + minutes * MINUTE)
    with transaction(engine) as session:
        states = session.scalars(select(Refund.state).order_by(Refund.created_at)).all()
        again = session.scalars(select(Refund.id).where(Refund.state == "requested")).one()
    assert states == ["refused", "requested"]
    await end_run(temporal_client, again)


async def test_of_what_went_back_in_part_the_rest_follows(
    sales: Sales, refunding: RefundActivities, engine: Engine, fan: User, temporal_client: Client
) -> None:
    charge = sales.sell(fan)
    part = sales.ask_refund(charge, amount_minor=100)
    refunding.send_refund(RefundStep(part.id, sales.now))
    with transaction(engine) as session:
        session.execute(
            update(Unlock)
            .where(Unlock.id == charge.subject_id)
            .values(state=UnlockState.REFUNDING.value)
        )
    for minutes in (0, 3):
        await sweep(refunding, sales.now + minutes * MINUTE)
    with transaction(engine) as session:
        [rest] = session.scalars(select(Refund).where(Refund.id != part.id)).all()
    assert rest.amount_minor == charge.amount_minor - 100
    await end_run(temporal_client, rest.id)


@pytest.mark.parametrize(("days", "forgotten"), [(539, 0), (541, 1)])
async def test_accesses_that_no_dispute_can_ask_for_any_more_are_forgotten(
    sales: Sales,
    refunding: RefundActivities,
    engine: Engine,
    fan: User,
    days: int,
    forgotten: int,
) -> None:
    at = sales.now
    with transaction(engine) as session:
        session.add(
            AccessEntry(
                fan_id=fan.id,
                item_type="media",
                item_id=fan.id,
                hour=at.replace(minute=0, second=0, microsecond=0),
                creator_id=sales.creator.id,
                at=at,
                address=None,
                agent="",
            )
        )
    report = await sweep(refunding, at + timedelta(days=days))
    assert report.accesses_deleted == forgotten
