"""Payouts that begin: once, of what is there, for who may have one."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from domain.errors import Conflict, FansworldError
from domain.payouts.review import ReviewPolicy
from domain.refunds import RefundReason, Requester
from infra.db import transaction
from infra.ids import new_id
from infra.models import Charge, Payout, User
from infra.queries.ledger import set_payouts_blocked
from infra.queries.payouts import batches, opening
from infra.queries.payouts.rows import find_payout
from infra.queries.refunds import NewRefund, refuse_refund, request_refund
from tests.harness.earnings import Earner
from tests.harness.rows import MakeUser

NO_REVIEW = ReviewPolicy(first=False)


def ask(earner: Earner, payout_id: str | None = None, currency: str | None = None) -> str:
    payout_id = payout_id or new_id()
    with transaction(earner.engine) as session:
        opening.ask_for_payout(
            session,
            payout_id=payout_id,
            creator_id=earner.id,
            currency=currency,
            at=datetime.now(UTC),
        )
    return payout_id


def open_(
    earner: Earner,
    payout_id: str,
    *,
    platform_minor: int = 10**9,
    policy: ReviewPolicy = NO_REVIEW,
) -> Payout:
    with transaction(earner.engine) as session:
        return opening.open_payout(
            session,
            payout_id,
            at=datetime.now(UTC),
            platform_minor=platform_minor,
            policy=policy,
        )


def refused(earner: Earner, **wish: Any) -> tuple[str, dict[str, Any]]:
    with pytest.raises(FansworldError) as refusal:
        ask(earner, **wish)
    return refusal.value.code, dict(refusal.value.facts)


def test_all_that_is_available_is_set_aside(earner: Earner) -> None:
    earner.connect()
    earner.earn(4_000)
    earner.earn(8_000)
    earner.sell(1_000)
    payout = open_(earner, ask(earner))
    assert (payout.state, payout.amount_minor) == ("reserved", 12_000)
    assert earner.balances() == {"pending": 800, "payout_in_flight": 12_000}


def test_opening_twice_reserves_once(earner: Earner) -> None:
    earner.connect()
    earner.earn(4_000)
    payout_id = ask(earner)
    open_(earner, payout_id)
    earner.earn(4_000)
    assert open_(earner, payout_id).amount_minor == 4_000
    assert earner.balances() == {"available": 4_000, "payout_in_flight": 4_000}


def test_remainders_are_carried_forward(earner: Earner) -> None:
    earner.currency = "HUF"
    earner.connect()
    earner.earn(1_000_048)
    payout = open_(earner, ask(earner))
    assert payout.amount_minor == 1_000_000
    assert earner.balances() == {"available": 48, "payout_in_flight": 1_000_000}
    assert [lot.remaining_minor for lot in earner.lots()] == [48]


def test_why_a_wish_is_refused(earner: Earner) -> None:
    assert refused(earner)[0] == "payout_account_missing"
    earner.connect()
    assert refused(earner) == ("nothing_available", {"currency": "USD"})
    earner.earn(1_600)
    assert refused(earner) == (
        "below_payout_minimum",
        {"currency": "USD", "amount_minor": 1_600, "minimum_minor": 2_000},
    )
    assert refused(earner, currency="EUR")[0] == "payout_currency_differs"
    assert earner.payouts() == []


def test_staff_hold_payouts(earner: Earner) -> None:
    earner.connect()
    earner.earn(4_000)
    with transaction(earner.engine) as session:
        set_payouts_blocked(session, creator_id=earner.id, reason="Case 7")
    assert refused(earner)[0] == "payouts_blocked"


def test_debt_and_disputes_stop_payouts(earner: Earner) -> None:
    earner.connect()
    first = earner.earn(4_000)
    earner.earn(8_000)
    earner.dispute(first, 1_000)
    assert refused(earner) == ("earnings_disputed", {"held_minor": 800})


def test_what_is_owed_stops_payouts(earner: Earner) -> None:
    earner.connect()
    charge = earner.earn(4_000)
    open_(earner, ask(earner))
    earner.refund(charge, 5_000)
    assert earner.balances() == {"payout_in_flight": 4_000, "debt": -4_000}
    with transaction(earner.engine) as session:
        refusal = opening.why_not_send(session, earner.payouts()[0])
    assert refusal is not None
    assert refusal.reason.value == "creator_in_debt"


def test_a_refund_that_is_asked_for_comes_first(earner: Earner, make_user: MakeUser) -> None:
    """Its share is still available until it is posted, and would be paid out as well."""
    earner.connect()
    earner.earn(4_000)
    payout_id = ask(earner)
    refund_id = ask_refund(earner, fan=make_user())
    assert refused(earner) == ("refund_in_progress", {"currency": "USD"})
    assert open_(earner, payout_id).reason == "refund_in_progress"
    with transaction(earner.engine) as session:
        refuse_refund(session, refund_id, code="charge_disputed", at=datetime.now(UTC))
    assert open_(earner, ask(earner)).state == "reserved"


def ask_refund(earner: Earner, *, fan: User) -> str:
    """A refund of a sale of theirs, which Stripe has not answered yet."""
    now = datetime.now(UTC)
    charge = Charge(
        id=new_id(),
        kind="tip",
        subject_id=new_id(),
        step="charge",
        generation=1,
        fan_id=fan.id,
        creator_id=earner.id,
        amount_minor=5_000,
        currency="USD",
        payment_method_id="pm_1",
        off_session=False,
        workflow_id="tip:1",
        state="paid",
        payment_intent_id=f"pi_{new_id()}",
        stripe_charge_id=f"ch_{new_id()}",
        paid_at=now,
        closed_at=now,
    )
    refund = NewRefund(
        id=new_id(),
        charge_id=charge.id,
        amount_minor=None,
        reason=RefundReason.REQUESTED_BY_CUSTOMER,
        requested_as=Requester.CREATOR,
        requested_by=earner.id,
        at=now,
    )
    with transaction(earner.engine) as session:
        session.add(charge)
        session.flush()
        return request_refund(session, refund).id


def test_stripe_has_not_enough_yet(earner: Earner) -> None:
    earner.connect()
    earner.earn(4_000)
    payout = open_(earner, ask(earner), platform_minor=3_999)
    assert (payout.state, payout.reason) == ("released", "platform_balance_short")
    assert earner.balances() == {"available": 4_000}


def test_one_that_is_released_lets_the_next_one_be_asked_for(earner: Earner) -> None:
    earner.connect()
    earner.earn(4_000)
    open_(earner, ask(earner), platform_minor=0)
    assert open_(earner, ask(earner)).state == "reserved"


def test_of_two_wishes_at_once_one_is_a_payout(earner: Earner) -> None:
    earner.connect()
    earner.earn(4_000)
    gate, said = threading.Barrier(2), []

    def wish() -> None:
        gate.wait()
        try:
            ask(earner)
            said.append("asked")
        except Conflict as error:
            said.append(error.code)

    threads = [threading.Thread(target=wish) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == ["asked", "payout_in_progress"]
    assert len(earner.payouts()) == 1


def test_the_same_wish_twice_is_one_payout(earner: Earner) -> None:
    earner.connect()
    earner.earn(4_000)
    payout_id = ask(earner)
    open_(earner, payout_id)
    assert ask(earner, payout_id) == payout_id
    assert len(earner.payouts()) == 1


def test_the_database_allows_one_that_is_being_prepared(earner: Earner) -> None:
    earner.connect()
    earner.earn(4_000)
    first = ask(earner)
    now = datetime.now(UTC)
    with pytest.raises(IntegrityError), transaction(earner.engine) as session:
        session.add(
            Payout(
                id=new_id(),
                creator_id=earner.id,
                kind="on_demand",
                currency="USD",
                state="requested",
                updated_at=now,
            )
        )
    assert [payout.id for payout in earner.payouts()] == [first]


def test_a_refund_while_money_is_set_aside_takes_what_is_left_first(earner: Earner) -> None:
    earner.connect()
    charge = earner.earn(4_000)
    payout_id = ask(earner)
    open_(earner, payout_id)
    earner.earn(8_000)
    earner.refund(charge, 5_000)
    assert earner.balances() == {"available": 4_000, "payout_in_flight": 4_000}


def test_a_payout_against_a_refund_at_once_loses_nothing(earner: Earner) -> None:
    """Whoever is first: what there was is in flight or given back, and never both."""
    earner.connect()
    charge = earner.earn(4_000)
    payout_id, gate = ask(earner), threading.Barrier(2)

    def refund() -> None:
        gate.wait()
        earner.refund(charge, 5_000)

    thread = threading.Thread(target=refund)
    thread.start()
    gate.wait()
    payout = open_(earner, payout_id)
    thread.join()
    if payout.state == "reserved":
        assert earner.balances() == {"payout_in_flight": 4_000, "debt": -4_000}
    else:
        assert (payout.state, payout.reason) == ("released", "nothing_available")
        assert earner.balances() == {}


def decide(earner: Earner, payout_id: str, *, approved: bool) -> bool:
    with transaction(earner.engine) as session:
        _, is_news = opening.decide_review(
            session, payout_id, approved=approved, by="ada", note="Case 7", at=datetime.now(UTC)
        )
    return is_news


def test_a_rejected_payout_gives_every_lot_back_what_it_took(earner: Earner) -> None:
    earner.connect()
    earner.earn(4_000)
    earner.earn(8_000)
    before = [(lot.id, lot.available_at, lot.remaining_minor) for lot in earner.lots()]
    payout_id = ask(earner)
    assert open_(earner, payout_id, policy=ReviewPolicy()).review_reasons == ["first_payout"]
    assert decide(earner, payout_id, approved=False)
    assert not decide(earner, payout_id, approved=False)
    payout = earner.payouts()[0]
    assert (payout.state, payout.reason, payout.decided_by) == (
        "released",
        "rejected_by_staff",
        "ada",
    )
    assert [(lot.id, lot.available_at, lot.remaining_minor) for lot in earner.lots()] == before


def test_the_first_decision_stands(earner: Earner) -> None:
    earner.connect()
    earner.earn(4_000)
    payout_id = ask(earner)
    open_(earner, payout_id, policy=ReviewPolicy())
    assert decide(earner, payout_id, approved=True)
    assert not decide(earner, payout_id, approved=True)
    with pytest.raises(Conflict) as refusal:
        decide(earner, payout_id, approved=False)
    assert refusal.value.code == "payout_not_in_review"
    with transaction(earner.engine) as session:
        assert find_payout(session, payout_id).state == "reserved"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"payouts_enabled": False}, "payout_account_disabled"),
        ({"transfers_enabled": False}, "payout_account_disabled"),
        ({"details_submitted": False}, "payout_account_incomplete"),
    ],
)
def test_an_account_that_lacks_something(
    earner: Earner, changes: dict[str, Any], reason: str
) -> None:
    earner.connect(**changes)
    earner.earn(4_000)
    assert refused(earner)[0] == reason


def test_whoever_is_suspended_is_not_paid_out(earner: Earner) -> None:
    earner.connect()
    earner.earn(4_000)
    with transaction(earner.engine) as session:
        session.execute(
            update(User).where(User.id == earner.id).values(suspended_at=datetime.now(UTC))
        )
    assert refused(earner)[0] == "account_suspended"


def test_a_batch_that_is_planned_twice_means_the_same_payout(earner: Earner) -> None:
    earner.connect()
    earner.earn(4_000)
    payout_id, day = new_id(), date(2030, 1, 7)
    with transaction(earner.engine) as session:
        batches.begin_batch(session, day, at=datetime.now(UTC))
    for _ in range(2):
        with transaction(earner.engine) as session:
            planned = opening.plan_weekly(
                session,
                payout_id=payout_id,
                creator_id=earner.id,
                currency="USD",
                day=day,
                at=datetime.now(UTC),
            )
        assert isinstance(planned, Payout)
        assert planned.id == payout_id
    assert len(earner.payouts()) == 1
