"""Events that were not delivered are polled; those that nobody was told of are told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select
from temporalio import workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.testing import ActivityEnvironment

from activities.stripe_events import EventActivities
from devstack.stripe import Fault, LocalStripe
from devstack.stripe.inprocess import client_of
from domain.refunds import RefundReason
from domain.stripe_events import FIRST_POLL, KEPT_FOR, PARKED_FOR
from infra.db import transaction
from infra.ids import new_id
from infra.models import CardSetup, Charge, Refund, StripeEvent, StripePoll
from infra.queries.stripe_events import inbox
from infra.settings import Settings
from infra.stripe import StripeGateway
from infra.stripe.objects import Event
from tests.harness.rows import MakeUser
from tests.integration.stripe.canned import NOW
from workflows.queues import Queue, queue_name
from workflows.stripe_events.messages import EventSweep, EventSweepReport

HOUR = timedelta(hours=1)


@workflow.defn(name="WaitsForStripe", sandboxed=False)
class WaitsForStripe:
    """A run that has an ear for Stripe's events, and no worker: signals lie in its history."""

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)


@pytest.fixture
def activities(
    keyed: Settings, engine: Engine, gateway: StripeGateway, temporal_client: Client
) -> EventActivities:
    return EventActivities(keyed, engine, gateway, temporal_client)


@pytest.fixture
async def waits(
    temporal_client: Client, settings: Settings
) -> AsyncIterator[WorkflowHandle[Any, Any]]:
    handle = await temporal_client.start_workflow(
        WaitsForStripe.run,
        id=f"tip:{new_id()}",
        task_queue=queue_name(Queue.WORKFLOWS, prefix=settings.task_queue_prefix),
    )
    yield handle
    await handle.terminate("the test is over")


async def signals_of(handle: WorkflowHandle[Any, Any]) -> int:
    history = await handle.fetch_history()
    return sum(
        each.HasField("workflow_execution_signaled_event_attributes") for each in history.events
    )


async def sweep(activities: EventActivities, at: datetime = NOW) -> EventSweepReport:
    report = await ActivityEnvironment().run(activities.sweep_stripe_events, EventSweep(at))
    assert isinstance(report, EventSweepReport)
    return report


def charge_once(gateway: StripeGateway, local: LocalStripe, workflow_id: str) -> None:
    fan_id = new_id()
    customer = gateway.create_customer(key=f"customer:{fan_id}", op_id=fan_id, at=NOW)
    card = client_of(local).v1.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    gateway.create_payment_intent(
        amount_minor=1000,
        currency="USD",
        customer_id=customer.id,
        payment_method_id=card.id,
        off_session=False,
        workflow_id=workflow_id,
        key=f"{workflow_id}:charge:1",
        op_id=new_id(),
        at=NOW,
    )


def states(engine: Engine) -> dict[str, str]:
    with transaction(engine) as session:
        return {row.type: row.state for row in session.scalars(select(StripeEvent))}


def event(**fields: Any) -> Event:
    plain = Event(
        id=f"evt_{new_id()}",
        type="payment_intent.succeeded",
        object_id="pi_1",
        object_type="payment_intent",
        account=None,
        created_at=NOW,
        op_id=new_id(),
        op_kind="charge",
        workflow_id=f"tip:{new_id()}",
    )
    return replace(plain, **fields)


def keep(engine: Engine, told: Event, *, at: datetime = NOW) -> None:
    with transaction(engine) as session:
        inbox.keep(session, told, at=at)


def keep_charge(engine: Engine, make_user: MakeUser, state: str) -> str:
    charge_id = new_id()
    paid = {"payment_intent_id": "pi_1", "stripe_charge_id": "ch_1", "paid_at": NOW}
    with transaction(engine) as session:
        session.add(
            Charge(
                id=charge_id,
                kind="tip",
                subject_id=new_id(),
                step="charge",
                generation=1,
                fan_id=make_user().id,
                creator_id=make_user().id,
                amount_minor=1000,
                tax_minor=0,
                currency="USD",
                payment_method_id="pm_1",
                off_session=False,
                workflow_id="tip:1",
                state=state,
                closed_at=NOW,
                **(paid if state == "paid" else {}),
            )
        )
    return charge_id


async def test_what_was_not_delivered_is_found_and_told_once(
    activities: EventActivities,
    gateway: StripeGateway,
    local: LocalStripe,
    engine: Engine,
    waits: WorkflowHandle[Any, Any],
) -> None:
    charge_once(gateway, local, waits.id)
    assert await sweep(activities) == EventSweepReport(polled=1, told=1)
    assert states(engine) == {"payment_intent.succeeded": "handled"}
    assert await signals_of(waits) == 1
    assert await sweep(activities, NOW + timedelta(minutes=5)) == EventSweepReport()
    assert await signals_of(waits) == 1


async def test_a_poll_goes_on_where_the_last_one_ended(
    activities: EventActivities,
    gateway: StripeGateway,
    local: LocalStripe,
    engine: Engine,
    waits: WorkflowHandle[Any, Any],
) -> None:
    """Whenever that was: an outage of hours is read up on."""
    await sweep(activities)
    local.advance(60)
    charge_once(gateway, local, waits.id)
    local.advance(9 * 3600)
    assert (await sweep(activities, NOW + 9 * HOUR)).polled == 1
    with transaction(engine) as session:
        assert session.get_one(StripePoll, inbox.PLATFORM).polled_until == NOW + 9 * HOUR


async def test_a_poll_that_failed_is_made_again_from_the_same_place(
    activities: EventActivities, gateway: StripeGateway, local: LocalStripe, engine: Engine
) -> None:
    charge_once(gateway, local, f"tip:{new_id()}")
    local.faults.add(Fault("lost_before", "GET", "/v1/events"))
    with pytest.raises(Exception, match="Stripe did not answer"):
        await sweep(activities)
    with transaction(engine) as session:
        assert inbox.polled_until(session, None, at=NOW) == NOW - FIRST_POLL
    assert (await sweep(activities)).polled == 1


async def test_what_the_api_could_not_tell_is_told(
    activities: EventActivities, engine: Engine, waits: WorkflowHandle[Any, Any]
) -> None:
    keep(engine, event(workflow_id=waits.id))
    assert (await sweep(activities, NOW + 9 * 24 * HOUR)).told == 1, "however long it takes"
    assert await signals_of(waits) == 1


async def test_what_nobody_waits_for_is_looked_at_for_three_days(
    activities: EventActivities, engine: Engine
) -> None:
    keep(engine, event())
    assert await sweep(activities) == EventSweepReport(parked=1)
    late = NOW + PARKED_FOR
    assert await sweep(activities, late - HOUR) == EventSweepReport(parked=1)
    assert await sweep(activities, late) == EventSweepReport(given_up=1)


async def test_what_was_made_in_the_dashboard_is_the_reconciliations(
    activities: EventActivities, engine: Engine
) -> None:
    keep(engine, event(op_id=None, op_kind=None, workflow_id=None))
    assert await sweep(activities) == EventSweepReport()
    assert await sweep(activities, NOW + PARKED_FOR) == EventSweepReport()
    assert states(engine) == {"payment_intent.succeeded": "parked"}


async def test_a_dispute_that_was_not_delivered_begins_its_run(
    activities: EventActivities, engine: Engine, temporal_client: Client
) -> None:
    dispute_id = f"dp_{new_id()}"
    keep(engine, event(type="charge.dispute.created", object_id=dispute_id))
    assert (await sweep(activities)).told == 1
    await temporal_client.get_workflow_handle(f"dispute:{dispute_id}").terminate("over")


async def test_without_a_key_nothing_is_polled(
    settings: Settings,
    engine: Engine,
    gateway: StripeGateway,
    local: LocalStripe,
    temporal_client: Client,
) -> None:
    charge_once(gateway, local, f"tip:{new_id()}")
    keyless = settings.model_copy(update={"stripe_secret_key": None})
    without = EventActivities(keyless, engine, gateway, temporal_client)
    assert await sweep(without) == EventSweepReport()


async def test_old_events_are_deleted_once_they_are_settled(
    activities: EventActivities, engine: Engine
) -> None:
    keep(engine, event(type="balance.available"))
    keep(engine, event(type="refund.created", op_id=None))
    assert (await sweep(activities, NOW + KEPT_FOR - HOUR)).deleted == 0
    assert (await sweep(activities, NOW + KEPT_FOR)).deleted == 1
    assert states(engine) == {"refund.created": "parked"}


@pytest.mark.parametrize(
    ("state", "report"),
    [
        ("paid", EventSweepReport(told=1)),
        ("canceled", EventSweepReport(parked=1)),
    ],
)
async def test_a_payment_whose_run_is_over_is_compared_with_our_row(
    activities: EventActivities,
    engine: Engine,
    make_user: MakeUser,
    state: str,
    report: EventSweepReport,
) -> None:
    charge_id = keep_charge(engine, make_user, state)
    keep(engine, event(op_id=charge_id))
    assert await sweep(activities) == report


@pytest.mark.parametrize("state", ["expired", "open"])
async def test_a_form_for_a_card_that_is_closed_waits_for_nothing(
    activities: EventActivities, engine: Engine, make_user: MakeUser, state: str
) -> None:
    setup_id = new_id()
    closed_at = None if state == "open" else NOW
    with transaction(engine) as session:
        session.add(CardSetup(id=setup_id, fan_id=make_user().id, state=state, closed_at=closed_at))
    keep(engine, event(type="setup_intent.succeeded", op_kind="setup", op_id=setup_id))
    is_news = state == "open"
    assert await sweep(activities) == EventSweepReport(told=not is_news, parked=is_news)


async def test_a_refund_that_failed_after_its_run_begins_it_again(
    activities: EventActivities, engine: Engine, temporal_client: Client, make_user: MakeUser
) -> None:
    refund_id = new_id()
    failed = event(type="refund.failed", op_kind="refund", op_id=refund_id)
    keep(engine, failed)
    assert (await sweep(activities)).parked == 1, "there is no such refund"
    charge_id = keep_charge(engine, make_user, "paid")
    with transaction(engine) as session:
        session.add(
            Refund(
                id=refund_id,
                charge_id=charge_id,
                amount_minor=1000,
                currency="USD",
                reason=next(iter(RefundReason)),
                requested_as="system",
                state="succeeded",
                stripe_refund_id="re_1",
                posted_at=NOW,
            )
        )
    assert (await sweep(activities)).told == 1
    await temporal_client.get_workflow_handle(f"refund:{refund_id}").terminate("over")
