"""Each kind of difference between the ledger and Stripe is planted, and seen."""

from __future__ import annotations

from datetime import timedelta

import pytest
import stripe
from sqlalchemy import Engine, select, text
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.disputes import DisputeActivities
from activities.reconcile import ReconcileActivities
from activities.refunds import RefundActivities
from devstack.stripe import LocalStripe
from devstack.stripe import balance as books
from domain.ids import refund_workflow_id
from infra.db import transaction
from infra.models import Charge, Reconciliation, Refund, User
from infra.queries import ledger
from infra.settings import Settings
from infra.stripe.gateway import StripeGateway
from tests.harness.sales import Sales
from workflows.disputes.messages import DisputeStep
from workflows.reconcile.messages import ReconcileReport, ReconcileStep
from workflows.refunds.messages import RefundStep

HOUR = timedelta(hours=1)


async def reconcile(reconciling: ReconcileActivities, sales: Sales) -> ReconcileReport:
    """An hour later, when nothing is on its way any more."""
    sales.pass_time(HOUR)
    environment = ActivityEnvironment()
    return await environment.run(reconciling.compare_books, ReconcileStep(sales.now))


def kept(engine: Engine) -> list[tuple[str, str]]:
    """Rules and subjects of the breaks that the latest comparison wrote down."""
    with transaction(engine) as session:
        last = session.scalars(
            select(Reconciliation).order_by(Reconciliation.ended_at.desc()).limit(1)
        ).one()
        assert len(last.breaks) == last.breaks_found
        return [(each["rule"], each["subject"]) for each in last.breaks]


async def test_books_of_a_busy_day_agree(
    sales: Sales,
    reconciling: ReconcileActivities,
    refunding: RefundActivities,
    following: DisputeActivities,
    engine: Engine,
    fan: User,
) -> None:
    refunded, disputed = sales.sell(fan), sales.sell(fan)
    refund = sales.ask_refund(refunded, 300)
    refunding.send_refund(RefundStep(refund.id, sales.now))
    dispute_id = sales.dispute(disputed)
    following.look_at_dispute(DisputeStep(dispute_id, sales.now))
    report = await reconcile(reconciling, sales)
    assert (report.breaks, report.sources_checked) == (0, 4)
    assert kept(engine) == []
    # A week later only the end of the dispute is in the window.
    sales.pass_time(timedelta(days=8))
    sales.decide(dispute_id, "won")
    following.look_at_dispute(DisputeStep(dispute_id, sales.now))
    assert (await reconcile(reconciling, sales)).breaks == 0


async def test_what_is_a_minute_old_is_left_to_the_next_time(
    sales: Sales, reconciling: ReconcileActivities, fan: User, stripe_client: stripe.StripeClient
) -> None:
    charge = sales.sell(fan)
    sales.pass_time(HOUR)
    refund_elsewhere(stripe_client, charge, 100)
    environment = ActivityEnvironment()
    at = sales.now + timedelta(minutes=1)
    report = await environment.run(reconciling.compare_books, ReconcileStep(at))
    assert report.breaks == 0


def refund_elsewhere(client: stripe.StripeClient, charge: Charge, amount: int) -> str:
    """In Stripe's dashboard."""
    assert charge.payment_intent_id is not None
    made = client.v1.refunds.create({"payment_intent": charge.payment_intent_id, "amount": amount})
    return made.id


async def test_a_refund_made_elsewhere_is_reported_adopted_and_right_the_next_time(
    sales: Sales,
    reconciling: ReconcileActivities,
    refunding: RefundActivities,
    engine: Engine,
    fan: User,
    stripe_client: stripe.StripeClient,
    temporal_client: Client,
) -> None:
    name = refund_elsewhere(stripe_client, sales.sell(fan), 400)
    report = await reconcile(reconciling, sales)
    assert (report.breaks, report.refunds_adopted) == (1, 1)
    assert f"| not_in_ledger | {name} | -4.00 USD | – | |".replace("| |", "|  |") in report.table
    assert kept(engine) == [("not_in_ledger", name)]
    with transaction(engine) as session:
        [adopted] = session.scalars(select(Refund)).all()
    # Its run is begun; this test does the run's work.
    handle = temporal_client.get_workflow_handle(refund_workflow_id(adopted.id))
    await handle.terminate()
    refunding.send_refund(RefundStep(adopted.id, sales.now))
    assert (await reconcile(reconciling, sales)).breaks == 0


async def test_a_dispute_that_nobody_told_of_is_reported_and_followed(
    sales: Sales,
    reconciling: ReconcileActivities,
    engine: Engine,
    fan: User,
    temporal_client: Client,
) -> None:
    dispute_id = sales.dispute(sales.sell(fan))
    report = await reconcile(reconciling, sales)
    assert (report.breaks, report.disputes_followed, report.may_be_late) == (1, 1, True)
    assert kept(engine) == [("not_in_ledger", dispute_id)]
    await temporal_client.get_workflow_handle(f"dispute:{dispute_id}").terminate()


async def test_what_the_ledger_alone_knows_is_reported(
    sales: Sales, reconciling: ReconcileActivities, engine: Engine, fan: User
) -> None:
    charge = sales.sell(fan)
    with transaction(engine) as session:
        ledger.record_fee(
            session,
            txn_id="txn_made_up",
            stripe_ref="ch_made_up",
            fee_minor=7,
            currency="USD",
            at=sales.now,
        )
        ledger.record_fee(
            session,
            txn_id="txn_more",
            stripe_ref=str(charge.stripe_charge_id),
            fee_minor=1,
            currency="USD",
            at=sales.now,
        )
    report = await reconcile(reconciling, sales)
    assert (report.breaks, report.may_be_late) == (2, False)
    assert set(kept(engine)) == {
        ("amounts_differ", str(charge.stripe_charge_id)),
        ("not_at_stripe", "ch_made_up"),
    }
    with pytest.raises(ApplicationError) as caught:
        reconciling.stop_for_breaks(report)
    assert caught.value.details[0] == "books_differ"


async def test_a_line_of_stripes_without_a_source_is_reported(
    sales: Sales, reconciling: ReconcileActivities, engine: Engine
) -> None:
    line = books.record(
        sales.local.scope(),
        kind="adjustment",
        amount=-250,
        currency="usd",
        source="by_hand",
        category="other_adjustment",
        description="A correction by hand",
    )
    line["source"] = None
    sales.local.scope().save(line)
    report = await reconcile(reconciling, sales)
    assert report.breaks == 1
    assert kept(engine) == [("not_in_ledger", line["id"])]


async def test_what_was_changed_past_the_ledger_is_reported(
    sales: Sales, reconciling: ReconcileActivities, engine: Engine, fan: User
) -> None:
    """By somebody who switched the triggers off."""
    sales.sell(fan)
    with transaction(engine) as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(
            text("UPDATE account_balances SET posted_minor = posted_minor + 1 WHERE allow_positive")
        )
    report = await reconcile(reconciling, sales)
    assert report.breaks > 0
    assert "balance_is_sum_of_entries" in {rule for rule, _ in kept(engine)}


async def test_without_stripe_the_ledgers_own_rules_are_held(
    settings: Settings,
    engine: Engine,
    gateway: StripeGateway,
    temporal_client: Client,
    sales: Sales,
    fan: User,
) -> None:
    sales.sell(fan)
    keyless = settings.model_copy(update={"stripe_secret_key": None})
    reconciling = ReconcileActivities(keyless, engine, gateway, temporal_client)
    report = await reconcile(reconciling, sales)
    assert (report.breaks, report.sources_checked) == (0, 0)


async def test_what_the_platform_withdraws_to_its_bank_is_listed_and_breaks_nothing(
    sales: Sales,
    reconciling: ReconcileActivities,
    engine: Engine,
    fan: User,
    stripe_client: stripe.StripeClient,
) -> None:
    for _ in range(3):
        sales.sell(fan, 1_000)
    sales.pass_time(timedelta(days=3))
    kept_one = stripe_client.v1.payouts.create({"amount": 700, "currency": "usd"})
    stopped = stripe_client.v1.payouts.create({"amount": 500, "currency": "usd"})
    stripe_client.v1.payouts.cancel(stopped.id)
    report = await reconcile(reconciling, sales)
    assert (kept_one.object, report.breaks) == ("payout", 0), report.table
    with transaction(engine) as session:
        [row] = session.scalars(select(Reconciliation)).all()
    assert row.own_movements == [
        {"kind": "platform_withdrawal", "currency": "USD", "net_minor": -700}
    ]


async def test_a_disputes_fee_that_the_ledger_does_not_know_is_a_break(
    sales: Sales, reconciling: ReconcileActivities, local_stripe: LocalStripe, fan: User
) -> None:
    charge = sales.sell(fan)
    line = books.record(
        local_stripe.scope(),
        kind="adjustment",
        amount=0,
        fees=[(1_500, "Dispute fee")],
        currency="usd",
        source=str(charge.stripe_charge_id),
        category="fee",
        description="Dispute fee",
    )
    report = await reconcile(reconciling, sales)
    assert (line["net"], report.breaks) == (-1_500, 1), report.table
