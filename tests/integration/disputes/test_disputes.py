"""Disputes on the local Stripe: what they hold, release, take for good and tell."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session
from temporalio.exceptions import ApplicationError

from activities.disputes import DisputeActivities
from activities.refunds import RefundActivities
from devstack.stripe import Fault, LocalStripe
from devstack.stripe import disputes as banks
from devstack.stripe.taking import authenticated
from domain.disputes import Answer, DisputeState
from domain.errors import Conflict
from domain.ledger.accounts import AccountKind
from infra.db import transaction
from infra.models import AccessEntry, Charge, Dispute, Mail, Unlock, User
from infra.queries import disputes
from infra.queries.unlocks.effects import follow_charge
from infra.settings import Settings
from infra.stripe.gateway import StripeGateway
from tests.harness.sales import Sales
from workflows.disputes.messages import DisputeLook, DisputeStep
from workflows.refunds.messages import RefundStep

S = DisputeState
DAY = timedelta(days=1)


def look(following: DisputeActivities, sales: Sales, dispute_id: str) -> DisputeLook:
    return following.look_at_dispute(DisputeStep(dispute_id, sales.now))


def answer(following: DisputeActivities, sales: Sales, dispute_id: str) -> DisputeLook:
    return following.answer_dispute(DisputeStep(dispute_id, sales.now))


def row(engine: Engine, dispute_id: str) -> Dispute:
    with transaction(engine) as session:
        return session.scalars(select(Dispute).where(Dispute.stripe_dispute_id == dispute_id)).one()


def decide(engine: Engine, sales: Sales, dispute_id: str, wanted: Answer) -> None:
    with transaction(engine) as session:
        disputes.decide(session, row(engine, dispute_id).id, wanted, by="staff", at=sales.now)


def told(engine: Engine) -> list[str]:
    with transaction(engine) as session:
        found = session.scalars(
            select(Mail).where(Mail.kind == "dispute").order_by(Mail.created_at)
        )
        return [each.facts["state"] for each in found]


def open_post(engine: Engine, sales: Sales, charge: Charge, *, after: timedelta) -> str:
    """The fan opens what they bought."""
    at = sales.now + after
    with transaction(engine) as session:
        unlock = session.get_one(Unlock, charge.subject_id)
        session.add(
            AccessEntry(
                fan_id=charge.fan_id,
                item_type="post",
                item_id=unlock.post_id,
                hour=at.replace(minute=0, second=0, microsecond=0),
                creator_id=charge.creator_id,
                at=at,
                address="203.0.113.7",
                agent="Firefox",
            )
        )
        return unlock.item_id


def test_a_chargeback_holds_the_creators_share_and_says_so(
    sales: Sales, following: DisputeActivities, engine: Engine, fan: User
) -> None:
    charge = sales.sell(fan)
    dispute_id = sales.dispute(charge)
    for _ in range(2):
        seen = look(following, sales, dispute_id)
        assert (seen.state, seen.is_booked, seen.answer) == (S.NEEDS_RESPONSE, True, None)
    assert sales.balance(AccountKind.DISPUTE_HOLD) == 800
    assert sales.balance(AccountKind.PENDING) == 0
    assert sales.balance(AccountKind.DISPUTE_RECEIVABLE) == -1_000
    assert sales.charge(charge.id).disputed_at == sales.now
    assert sales.has_right(charge)  # Until it is lost.
    held = row(engine, dispute_id)
    assert (held.fee_minor, held.is_inquiry) == (1_500, False)
    assert told(engine) == ["opened"]
    sales.check_books()


def test_a_disputed_charge_is_not_refunded(
    sales: Sales, following: DisputeActivities, fan: User
) -> None:
    charge = sales.sell(fan)
    look(following, sales, sales.dispute(charge))
    with pytest.raises(Conflict) as caught:
        sales.ask_refund(charge)
    assert caught.value.code == "charge_disputed"


def test_a_dispute_that_is_won_gives_everything_back_but_stripes_fee(
    sales: Sales, following: DisputeActivities, engine: Engine, fan: User
) -> None:
    charge = sales.sell(fan)
    dispute_id = sales.dispute(charge)
    look(following, sales, dispute_id)
    sales.decide(dispute_id, "won")
    for _ in range(2):
        assert look(following, sales, dispute_id).state is S.WON
    assert sales.balance(AccountKind.PENDING) == 800
    assert sales.balance(AccountKind.DISPUTE_HOLD) == 0
    assert sales.balance(AccountKind.STRIPE_FEES) == -59 - 1_500
    assert sales.charge(charge.id).disputed_at is None
    assert sales.has_right(charge)
    assert told(engine) == ["opened", "won"]
    sales.ask_refund(charge)  # It may be refunded again.
    sales.check_books()


def test_a_dispute_that_is_lost_takes_the_money_and_what_was_bought(
    sales: Sales, following: DisputeActivities, engine: Engine, fan: User
) -> None:
    charge = sales.sell(fan)
    dispute_id = sales.dispute(charge)
    look(following, sales, dispute_id)
    sales.decide(dispute_id, "lost")
    for _ in range(2):
        seen = look(following, sales, dispute_id)
        assert (seen.state, seen.tell_run) == (S.LOST, charge.workflow_id)
    assert sales.balances() == {"stripe_clearing": 1_559, "stripe_fees": -1_559}
    assert not sales.has_right(charge)
    assert told(engine) == ["opened", "lost"]
    with pytest.raises(Conflict):
        sales.ask_refund(charge)
    sales.check_books()


def test_the_fee_of_a_lost_dispute_is_the_creators_by_policy(
    sales: Sales, engine: Engine, settings: Settings, gateway: StripeGateway, fan: User
) -> None:
    theirs = settings.model_copy(update={"dispute_fee_borne_by": "creator"})
    following = DisputeActivities(theirs, engine, gateway)
    sales.sell(fan, 5_000)
    sales.pass_time(8 * DAY)
    sales.release()
    dispute_id = sales.dispute(sales.sell(fan))
    look(following, sales, dispute_id)
    sales.decide(dispute_id, "lost")
    look(following, sales, dispute_id)
    assert sales.balance(AccountKind.AVAILABLE) == 4_000 - 1_500
    sales.check_books()


def test_one_heard_of_after_its_end_goes_the_whole_way_at_once(
    sales: Sales, following: DisputeActivities, fan: User
) -> None:
    charge = sales.sell(fan)
    dispute_id = sales.dispute(charge)
    sales.decide(dispute_id, "lost")
    assert look(following, sales, dispute_id).state is S.LOST
    assert not sales.has_right(charge)
    sales.check_books()


def test_a_dispute_after_the_payout_leaves_a_debt_that_a_win_forgives(
    sales: Sales, following: DisputeActivities, fan: User
) -> None:
    charge = sales.sell(fan)
    sales.pass_time(8 * DAY)
    sales.release()
    sales.pay_out()
    dispute_id = sales.dispute(charge)
    look(following, sales, dispute_id)
    assert sales.balance(AccountKind.DEBT) == -800
    sales.check_books()
    sales.decide(dispute_id, "won")
    look(following, sales, dispute_id)
    assert sales.balance(AccountKind.DEBT) == 0
    sales.check_books()


def test_what_was_refunded_before_is_not_lost_twice(
    sales: Sales, following: DisputeActivities, refunding: RefundActivities, fan: User
) -> None:
    """A refund and a dispute that race for one charge."""
    charge = sales.sell(fan)
    refund = sales.ask_refund(charge, 400)
    refunding.send_refund(RefundStep(refund.id, sales.now))
    dispute_id = sales.dispute(charge)
    look(following, sales, dispute_id)
    sales.decide(dispute_id, "lost")
    look(following, sales, dispute_id)
    assert sales.balances() == {"stripe_clearing": 1_559, "stripe_fees": -1_559}
    sales.check_books()


def test_an_inquiry_moves_no_money_and_leaves_the_charge_refundable(
    sales: Sales,
    following: DisputeActivities,
    refunding: RefundActivities,
    engine: Engine,
    fan: User,
) -> None:
    charge = sales.sell(fan)
    before = sales.balances()
    dispute_id = sales.dispute(charge, inquiry=True)
    seen = look(following, sales, dispute_id)
    assert (seen.state, seen.is_booked) == (S.WARNING_NEEDS_RESPONSE, True)
    assert sales.balances() == before
    assert row(engine, dispute_id).is_inquiry
    assert sales.charge(charge.id).disputed_at is None
    assert told(engine) == []
    refund = sales.ask_refund(charge)
    refunding.send_refund(RefundStep(refund.id, sales.now))
    sales.decide(dispute_id, "warning_closed")
    assert look(following, sales, dispute_id).state is S.WARNING_CLOSED
    sales.check_books()


def test_an_inquiry_that_is_escalated_is_held_and_answered_a_second_time(
    sales: Sales,
    following: DisputeActivities,
    engine: Engine,
    local_stripe: LocalStripe,
    fan: User,
) -> None:
    charge = sales.sell(fan)
    dispute_id = sales.dispute(charge, inquiry=True)
    look(following, sales, dispute_id)
    decide(engine, sales, dispute_id, Answer.SUBMIT)
    assert answer(following, sales, dispute_id).state is S.WARNING_UNDER_REVIEW
    sales.pass_time(3 * DAY)
    sales.escalate(dispute_id)
    seen = look(following, sales, dispute_id)
    assert (seen.state, seen.answer) == (S.NEEDS_RESPONSE, None)
    assert sales.balance(AccountKind.DISPUTE_HOLD) == 800
    assert not row(engine, dispute_id).is_inquiry
    decide(engine, sales, dispute_id, Answer.SUBMIT)
    assert answer(following, sales, dispute_id).state is S.UNDER_REVIEW
    held = local_stripe.scope().get("dispute", dispute_id)
    assert held["evidence_details"]["submission_count"] == 2
    sales.check_books()


def test_evidence_tells_what_the_fan_opened_and_is_submitted_before_it_is_due(
    sales: Sales,
    following: DisputeActivities,
    engine: Engine,
    local_stripe: LocalStripe,
    fan: User,
) -> None:
    charge = sales.sell(fan)
    post_id = open_post(engine, sales, charge, after=timedelta(minutes=2))
    other = sales.sell(fan)
    open_post(engine, sales, other, after=timedelta(minutes=3))  # Of another purchase.
    sales.pass_time(DAY)
    dispute_id = sales.dispute(charge)
    seen = look(following, sales, dispute_id)
    assert seen.answer is None
    assert seen.submits_at is not None
    pack = row(engine, dispute_id).evidence
    assert pack is not None
    assert pack["customer_email_address"] == "fan@example.com"
    assert pack["access_activity_log"].count("; post ") == 1
    assert post_id in pack["access_activity_log"]
    sales.pass_time(seen.submits_at - sales.now)
    assert look(following, sales, dispute_id).answer is Answer.SUBMIT
    for _ in range(2):
        assert answer(following, sales, dispute_id).state is S.UNDER_REVIEW
    held = local_stripe.scope().get("dispute", dispute_id)
    assert held["evidence"]["access_activity_log"] == pack["access_activity_log"]
    assert held["evidence_details"]["submission_count"] == 1
    submitted = row(engine, dispute_id)
    assert (submitted.answer, submitted.answered_by) == ("submit", None)
    assert submitted.evidence_submitted_at == sales.now


def test_an_answer_whose_outcome_is_lost_is_given_once(
    sales: Sales,
    following: DisputeActivities,
    engine: Engine,
    local_stripe: LocalStripe,
    fan: User,
) -> None:
    dispute_id = sales.dispute(sales.sell(fan))
    look(following, sales, dispute_id)
    decide(engine, sales, dispute_id, Answer.SUBMIT)
    local_stripe.faults.add(Fault("lost_after", method="POST", path="/v1/disputes/.*"))
    with pytest.raises(ApplicationError):
        answer(following, sales, dispute_id)
    assert answer(following, sales, dispute_id).state is S.UNDER_REVIEW
    held = local_stripe.scope().get("dispute", dispute_id)
    assert held["evidence_details"]["submission_count"] == 1


def test_what_staff_accept_is_lost(
    sales: Sales, following: DisputeActivities, engine: Engine, fan: User
) -> None:
    charge = sales.sell(fan)
    dispute_id = sales.dispute(charge)
    look(following, sales, dispute_id)
    decide(engine, sales, dispute_id, Answer.ACCEPT)
    assert look(following, sales, dispute_id).answer is Answer.ACCEPT
    for _ in range(2):
        assert answer(following, sales, dispute_id).state is S.LOST
    assert not sales.has_right(charge)
    sales.check_books()


def test_a_dispute_of_a_payment_that_was_not_taken_here_is_for_a_person(
    sales: Sales,
    following: DisputeActivities,
    fan: User,
) -> None:
    charge = sales.sell(fan)
    dispute_id = sales.dispute(charge)
    held = sales.local.scope().get("dispute", dispute_id)
    held["charge"] = "ch_elsewhere"
    sales.local.scope().save(held)
    with pytest.raises(ApplicationError) as caught:
        look(following, sales, dispute_id)
    assert caught.value.details[0] == "dispute_of_unknown_charge"


def test_a_dispute_that_is_heard_of_before_its_payment_waits_for_that(
    sales: Sales, following: DisputeActivities, fan: User
) -> None:
    """The worker took the money and died; the bank was faster than whoever takes its place."""
    order = sales.order(fan)

    def die(_session: Session, _charge: Charge) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sales.taker.take(order, die)
    dispute_id = disputed_at_once(sales)
    assert waits_for_its_charge(following, sales, dispute_id)
    sales.taker.take(order, follow_charge)
    assert look(following, sales, dispute_id).state is S.NEEDS_RESPONSE
    sales.check_books()


def test_a_dispute_of_what_the_fan_has_just_confirmed_waits_for_that(
    sales: Sales, following: DisputeActivities, fan: User
) -> None:
    order = sales.order(fan, card="pm_card_authenticationRequired")
    asked = sales.taker.take(order, follow_charge)
    intent_id = sales.charge(asked.charge_id).payment_intent_id
    assert intent_id is not None
    authenticated(sales.local.scope(), intent_id, passed=True)
    dispute_id = disputed_at_once(sales)
    assert waits_for_its_charge(following, sales, dispute_id)
    sales.taker.look(asked.charge_id, sales.now, follow_charge)
    assert look(following, sales, dispute_id).state is S.NEEDS_RESPONSE
    sales.check_books()


def disputed_at_once(sales: Sales) -> str:
    scope = sales.local.scope()
    [held] = scope.all("charge")
    return str(banks.open_dispute(scope, held, reason="fraudulent", inquiry=False)["id"])


def waits_for_its_charge(following: DisputeActivities, sales: Sales, dispute_id: str) -> bool:
    with pytest.raises(ApplicationError) as caught:
        look(following, sales, dispute_id)
    return caught.value.details[0] == "disputed_charge_open" and not caught.value.non_retryable


def test_access_entries_are_never_changed(engine: Engine, sales: Sales, fan: User) -> None:
    charge = sales.sell(fan)
    open_post(engine, sales, charge, after=timedelta(0))
    with pytest.raises(Exception, match="insert-only"), transaction(engine) as session:
        entry = session.scalars(select(AccessEntry)).one()
        entry.at = datetime(2020, 1, 1, tzinfo=UTC)
