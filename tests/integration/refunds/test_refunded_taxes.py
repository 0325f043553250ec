"""Where Stripe Tax says how much of a price is tax, what goes back is reported as well."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from activities.charges.taking import ChargeTaker
from activities.disputes import DisputeActivities
from activities.refunds import RefundActivities
from devstack.stripe import LocalStripe
from infra.models import Charge, User
from infra.settings import Settings
from infra.stripe.gateway import StripeGateway
from tests.harness.sales import Sales
from workflows.disputes.messages import DisputeStep
from workflows.refunds.messages import RefundStep


@pytest.fixture
def taxed(sales: Sales, settings: Settings, engine: Engine, gateway: StripeGateway) -> Sales:
    with_tax = settings.model_copy(update={"stripe_tax_enabled": True})
    sales.taker = ChargeTaker(with_tax, engine, gateway)
    return sales


def sell(taxed: Sales, fan: User) -> Charge:
    """To a fan in Germany, with its tax reported."""
    charge = taxed.sell(fan, card="pm_card_de")
    taxed.taker.finish(charge.id, taxed.now)
    charge = taxed.charge(charge.id)
    assert charge.tax_minor > 0
    assert charge.tax_transaction_id is not None
    return charge


def reported(local: LocalStripe) -> list[str]:
    """References of what was reported as given back."""
    found = local.scope().all("tax.transaction")
    return [row["reference"] for row in found if row["type"] == "reversal"]


def test_the_tax_of_a_refund_is_reported_once(
    taxed: Sales, refunding: RefundActivities, local_stripe: LocalStripe, fan: User
) -> None:
    charge = sell(taxed, fan)
    part = taxed.ask_refund(charge, 400)
    for _ in range(2):
        refunding.send_refund(RefundStep(part.id, taxed.now))
    rest = taxed.ask_refund(charge, nth=2)
    refunding.send_refund(RefundStep(rest.id, taxed.now))
    assert sorted(reported(local_stripe)) == sorted([part.id, rest.id])
    assert taxed.balances() == {"stripe_clearing": 59, "stripe_fees": -59}
    taxed.check_books()


def test_a_payment_whose_tax_is_not_reported_yet_is_left_to_the_next_look(
    taxed: Sales, refunding: RefundActivities, local_stripe: LocalStripe, fan: User
) -> None:
    charge = taxed.sell(fan, card="pm_card_de")
    refund = taxed.ask_refund(charge)
    refunding.send_refund(RefundStep(refund.id, taxed.now))
    assert reported(local_stripe) == []
    taxed.taker.finish(charge.id, taxed.now)
    refunding.look_at_refund(RefundStep(refund.id, taxed.now))
    assert reported(local_stripe) == [refund.id]


def test_the_tax_of_a_lost_dispute_is_reported_once(
    taxed: Sales, following: DisputeActivities, local_stripe: LocalStripe, fan: User
) -> None:
    dispute_id = taxed.dispute(sell(taxed, fan))
    taxed.decide(dispute_id, "lost")
    for _ in range(2):
        following.look_at_dispute(DisputeStep(dispute_id, taxed.now))
    assert len(reported(local_stripe)) == 1
    taxed.check_books()
