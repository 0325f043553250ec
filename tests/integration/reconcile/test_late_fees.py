"""A Stripe that tells its fee some time after the payment."""

from __future__ import annotations

import time

import pytest
import stripe
from sqlalchemy import Engine

from activities.reconcile import ReconcileActivities
from devstack.stripe import LocalStripe
from devstack.stripe.world import Config
from domain.ledger.postings import EarningDefaults, SaleFacts, SaleSource
from infra.db import transaction
from infra.ids import new_id
from infra.models import Charge, User
from infra.queries import ledger
from tests.harness.sales import Sales
from tests.integration.reconcile.test_reconcile import reconcile


@pytest.fixture
def local_stripe() -> LocalStripe:
    now = int(time.time())
    return LocalStripe(now=now, seed=new_id(), config=Config(async_capture_seconds=1800))


def paid_before_it_was_booked(
    sales: Sales, engine: Engine, client: stripe.StripeClient, fan: User
) -> str:
    """A charge's id: the fan's 10.00 were taken, and Stripe has not said what it keeps."""
    card = sales.give_card(fan, "pm_card_visa")
    customer = client.v1.payment_methods.retrieve(card.id).customer
    intent = client.v1.payment_intents.create(
        {
            "amount": 1_000,
            "currency": "usd",
            "customer": str(customer),
            "payment_method": card.id,
            "confirm": True,
            "capture_method": "automatic_async",
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
        }
    )
    charge_id, stripe_id = new_id(), str(intent.latest_charge)
    row = Charge(
        id=charge_id,
        kind="tip",
        subject_id=new_id(),
        step="charge",
        generation=1,
        fan_id=fan.id,
        creator_id=sales.creator.id,
        amount_minor=1_000,
        currency="USD",
        payment_method_id=card.id,
        off_session=False,
        workflow_id="tip:1",
        state="paid",
        payment_intent_id=intent.id,
        stripe_charge_id=stripe_id,
        created_at=sales.now,
        paid_at=sales.now,
        closed_at=sales.now,
    )
    facts = SaleFacts(
        charge_id=charge_id,
        creator_id=sales.creator.id,
        source=SaleSource.TIP,
        gross_minor=1_000,
        tax_minor=0,
        fee_bps=None,
        currency="USD",
        at=sales.now,
        workflow_id="tip:1",
        stripe_ref=stripe_id,
    )
    with transaction(engine) as session:
        session.add(row)
        session.flush()
        ledger.record_sale(session, facts, defaults=EarningDefaults())
    return charge_id


async def test_a_fee_that_came_late_is_posted_and_no_difference(
    sales: Sales,
    reconciling: ReconcileActivities,
    engine: Engine,
    stripe_client: stripe.StripeClient,
    fan: User,
) -> None:
    charge_id = paid_before_it_was_booked(sales, engine, stripe_client, fan)
    report = await reconcile(reconciling, sales)
    assert (report.breaks, report.fees_recorded) == (0, 1)
    assert sales.charge(charge_id).fee_recorded_at == sales.now
    sales.check_books()
