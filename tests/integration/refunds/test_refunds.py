"""Refunds on the local Stripe: what they post, take back and tell, and what can go wrong."""

from __future__ import annotations

from datetime import timedelta

import pytest
import stripe
from sqlalchemy import Engine, select
from temporalio.exceptions import ApplicationError

from activities.refunds import RefundActivities
from devstack.stripe import Fault, LocalStripe
from devstack.stripe import refunds as banks
from domain.errors import Conflict
from domain.ledger.accounts import AccountKind
from domain.refunds import RefundState
from infra.db import transaction
from infra.models import Mail, Refund, User
from infra.queries import refunds
from infra.queries.refunds.requesting import refundable_of
from infra.stripe.gateway import StripeGateway
from tests.harness.sales import Sales
from workflows.refunds.messages import RefundLook, RefundStep

S = RefundState
DAY = timedelta(days=1)


def send(refunding: RefundActivities, sales: Sales, refund: Refund) -> RefundLook:
    return refunding.send_refund(RefundStep(refund.id, sales.now))


def look(refunding: RefundActivities, sales: Sales, refund: Refund) -> RefundLook:
    return refunding.look_at_refund(RefundStep(refund.id, sales.now))


def row(engine: Engine, refund: Refund) -> Refund:
    with transaction(engine) as session:
        return session.get_one(Refund, refund.id)


def mails(engine: Engine) -> list[tuple[str, str, str | None]]:
    with transaction(engine) as session:
        found = session.scalars(select(Mail).order_by(Mail.created_at, Mail.kind))
        return [(each.address, each.kind, each.facts.get("state")) for each in found]


def test_a_full_refund_takes_back_what_was_bought_and_what_was_earned(
    sales: Sales, refunding: RefundActivities, engine: Engine, fan: User
) -> None:
    charge = sales.sell(fan)
    assert sales.has_right(charge)
    refund = sales.ask_refund(charge)
    seen = send(refunding, sales, refund)
    assert seen.state is S.SUCCEEDED
    assert seen.tell_run == charge.workflow_id
    assert not sales.has_right(charge)
    assert sales.charge(charge.id).refunded_minor == 1_000
    # Stripe keeps its fee; nobody else keeps anything.
    assert sales.balances() == {"stripe_clearing": 59, "stripe_fees": -59}
    sales.check_books()
    assert mails(engine) == [
        ("fan@example.com", "refund", "made"),
        ("maker@example.com", "sale_refunded", None),
    ]


def test_parts_are_refunded_up_to_what_was_paid_and_leave_what_was_bought(
    sales: Sales, refunding: RefundActivities, fan: User
) -> None:
    charge = sales.sell(fan)
    for nth, amount in enumerate((333, 333, 333), start=1):
        seen = send(refunding, sales, sales.ask_refund(charge, amount, nth=nth))
        assert (seen.state, seen.tell_run) == (S.SUCCEEDED, None)
    assert sales.has_right(charge)
    with pytest.raises(Conflict) as caught:
        sales.ask_refund(charge, 2, nth=4)
    assert caught.value.code == "refund_exceeds_charge"
    send(refunding, sales, sales.ask_refund(charge, nth=5))
    assert not sales.has_right(charge)
    assert sales.balances() == {"stripe_clearing": 59, "stripe_fees": -59}
    sales.check_books()


def test_a_wish_that_waits_for_stripe_holds_its_amount(sales: Sales, fan: User) -> None:
    charge = sales.sell(fan)
    sales.ask_refund(charge, 600)
    with pytest.raises(Conflict) as caught:
        sales.ask_refund(charge, 600, nth=2)
    assert caught.value.facts["refundable_minor"] == 400


def test_whatever_is_repeated_is_one_refund(
    sales: Sales, refunding: RefundActivities, local_stripe: LocalStripe, fan: User
) -> None:
    """Answers are lost after each call, and each step is run again by another worker."""
    refund = sales.ask_refund(sales.sell(fan), 400)
    local_stripe.faults.add(Fault("lost_after", method="POST", path="/v1/refunds"))
    with pytest.raises(ApplicationError) as caught:
        send(refunding, sales, refund)
    assert caught.value.type == "OutcomeUnknown"
    for _ in range(3):
        assert send(refunding, sales, refund).state is S.SUCCEEDED
        assert look(refunding, sales, refund).state is S.SUCCEEDED
    assert len(local_stripe.scope().all("refund")) == 1
    sales.check_books()


def test_a_pending_refund_is_posted_at_once_and_ends_later(
    sales: Sales, refunding: RefundActivities, fan: User
) -> None:
    refund = sales.ask_refund(sales.sell(fan, card="pm_card_pendingRefund"))
    assert send(refunding, sales, refund).state is S.PENDING
    sales.check_books()
    sales.pass_time(2 * DAY)
    seen = look(refunding, sales, refund)
    assert seen.state is S.SUCCEEDED
    assert seen.watched_until is not None
    sales.check_books()


def test_a_refund_that_fails_later_is_taken_back_in_the_ledger(
    sales: Sales, refunding: RefundActivities, engine: Engine, fan: User
) -> None:
    charge = sales.sell(fan, card="pm_card_refundFail")
    before = sales.balances()
    refund = sales.ask_refund(charge)
    assert send(refunding, sales, refund).state is S.SUCCEEDED
    sales.pass_time(2 * DAY)
    for _ in range(2):
        assert look(refunding, sales, refund).state is S.FAILED
    assert sales.balances() == before
    assert row(engine, refund).failure_reason == "expired_or_canceled_card"
    assert sales.charge(charge.id).refunded_minor == 0
    sales.check_books()
    assert ("fan@example.com", "refund", "failed") in mails(engine)
    with pytest.raises(ApplicationError) as caught:
        refunding.check_failed_refund(RefundStep(refund.id, sales.now))
    assert caught.value.details[0] == "refund_failed"
    # Staff refund it again; then there is nothing left to do.
    sales.ask_refund(charge, nth=2)
    refunding.check_failed_refund(RefundStep(refund.id, sales.now))


def test_a_refund_after_the_payout_leaves_the_creator_in_debt(
    sales: Sales, refunding: RefundActivities, fan: User
) -> None:
    charge = sales.sell(fan)
    sales.pass_time(8 * DAY)
    sales.release()
    sales.pay_out()
    send(refunding, sales, sales.ask_refund(charge))
    assert sales.balance(AccountKind.DEBT) == -800
    assert sales.balance(AccountKind.AVAILABLE) == 0
    sales.check_books()
    # What they earn next pays it first.
    sales.sell(fan)
    sales.pass_time(8 * DAY)
    sales.release()
    assert sales.balance(AccountKind.DEBT) == 0
    assert sales.balance(AccountKind.AVAILABLE) == 0
    sales.check_books()


def test_what_is_disputed_meanwhile_is_refused_by_stripe_and_can_be_asked_for_again(
    sales: Sales, refunding: RefundActivities, engine: Engine, fan: User
) -> None:
    """The race: the wish is written, then the bank opens a dispute, then Stripe is asked."""
    charge = sales.sell(fan)
    refund = sales.ask_refund(charge)
    sales.dispute(charge)
    seen = send(refunding, sales, refund)
    assert (seen.state, seen.refused_code) == (S.REFUSED, "charge_disputed")
    assert row(engine, refund).posted_at is None
    # The amount is free again, for when the dispute is won.
    with transaction(engine) as session:
        charge_row = sales.charge(charge.id)
        assert refundable_of(session, charge_row).refundable_minor == 1_000


def test_what_somebody_refunded_at_stripe_is_refused_here(
    sales: Sales, refunding: RefundActivities, fan: User, stripe_client: stripe.StripeClient
) -> None:
    charge = sales.sell(fan)
    made_elsewhere(stripe_client, charge.payment_intent_id, 700)
    seen = send(refunding, sales, sales.ask_refund(charge))
    assert (seen.state, seen.refused_code) == (S.REFUSED, "refund_exceeds_charge")


def made_elsewhere(client: stripe.StripeClient, payment_intent: str | None, amount: int) -> str:
    """In Stripe's dashboard."""
    assert payment_intent is not None
    made = client.v1.refunds.create({"payment_intent": payment_intent, "amount": amount})
    return made.id


def test_a_refund_made_at_stripe_is_adopted_and_posted_once(
    sales: Sales,
    refunding: RefundActivities,
    engine: Engine,
    fan: User,
    stripe_client: stripe.StripeClient,
    gateway: StripeGateway,
) -> None:
    charge = sales.sell(fan)
    name = made_elsewhere(stripe_client, charge.payment_intent_id, 700)
    said = gateway.retrieve_refund(name)
    for _ in range(2):
        with transaction(engine) as session:
            adopted = refunds.adopt_refund(session, said, at=sales.now)
        assert adopted is not None
        assert send(refunding, sales, adopted).state is S.SUCCEEDED
    with transaction(engine) as session:
        assert len(session.scalars(select(Refund)).all()) == 1
    sales.check_books()


def test_one_that_fails_at_once_posts_what_stripe_booked(
    sales: Sales, refunding: RefundActivities, local_stripe: LocalStripe, fan: User
) -> None:
    """It was made, and had failed before anybody heard of it."""
    charge = sales.sell(fan)
    refund = sales.ask_refund(charge)
    local_stripe.faults.add(Fault("lost_after", method="POST", path="/v1/refunds"))
    with pytest.raises(ApplicationError):
        send(refunding, sales, refund)
    [made] = local_stripe.scope().all("refund")
    banks.fail_refund(local_stripe.scope(), made["id"])
    # The kept answer says what it was; looking says what it is.
    send(refunding, sales, refund)
    assert look(refunding, sales, refund).state is S.FAILED
    sales.check_books()
