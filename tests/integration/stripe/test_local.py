"""The gateway through the local Stripe: what it makes of cards, and that nothing is made twice
however answers are lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from devstack.stripe import Fault, LocalStripe
from devstack.stripe.faults import FaultKind
from devstack.stripe.inprocess import client_of
from domain.charges.states import DeclineKind
from domain.errors import NotFound, OutcomeUnknown, StepBlocked, Unavailable
from infra.ids import new_id
from infra.stripe import StripeGateway
from infra.stripe.objects import PaymentIntent
from tests.integration.stripe.canned import NOW

DAY = timedelta(days=1)


Pay = Callable[..., PaymentIntent]


@pytest.fixture
def pay(gateway: StripeGateway, local: LocalStripe, fan: str) -> Pay:
    """Keep a card for the fan, and charge it once under a key."""

    def pay(
        card: str = "visa",
        *,
        op_id: str = "charge-1",
        at: datetime = NOW,
        off_session: bool = False,
        method: str | None = None,
    ) -> PaymentIntent:
        return gateway.create_payment_intent(
            amount_minor=1000,
            currency="USD",
            customer_id=fan,
            payment_method_id=method or keep_card(local, fan, card),
            off_session=off_session,
            workflow_id="tip:1",
            key=f"charge:{fan}:{op_id}",
            op_id=op_id,
            at=at,
        )

    return pay


def keep_card(local: LocalStripe, customer_id: str, card: str) -> str:
    attached = client_of(local).v1.payment_methods.attach(
        f"pm_card_{card}", {"customer": customer_id}
    )
    return attached.id


def made(local: LocalStripe, customer_id: str) -> int:
    return len(client_of(local).v1.payment_intents.list({"customer": customer_id}).data)


def test_a_payment_comes_with_its_charge_and_fee(pay: Pay) -> None:
    intent = pay()
    assert (intent.status, intent.amount_minor, intent.currency) == ("succeeded", 1000, "USD")
    assert (intent.op_id, intent.decline) == ("charge-1", None)
    charge = intent.latest_charge
    assert charge is not None and charge.metadata["workflow_id"] == "tip:1"
    booked = charge.balance_transaction
    assert booked is not None and booked.net_minor == 1000 - booked.fee_minor
    assert charge.payment_method_fingerprint


@pytest.mark.parametrize(
    ("card", "reason", "kind"),
    [
        ("chargeCustomerFail", "generic_decline", DeclineKind.SOFT),
        ("chargeDeclinedFraudulent", "fraudulent", DeclineKind.HARD),
    ],
)
def test_a_decline_is_an_answer(
    pay: Pay, gateway: StripeGateway, card: str, reason: str, kind: DeclineKind
) -> None:
    intent = pay(card)
    assert intent.status == "requires_payment_method"
    assert intent.decline is not None
    assert (intent.decline.reason, intent.decline.kind) == (reason, kind)
    again = gateway.retrieve_payment_intent(intent.id)
    assert again.decline == intent.decline


def test_a_bank_that_wants_the_fan_says_so(pay: Pay) -> None:
    on_session = pay("threeDSecure2Required", op_id="on")
    assert (on_session.status, on_session.decline) == ("requires_action", None)
    assert on_session.client_secret
    off_session = pay("threeDSecure2Required", op_id="off", off_session=True)
    assert off_session.decline is not None
    assert off_session.decline.kind is DeclineKind.NEEDS_FAN


def test_a_payment_that_waits_is_given_up_and_one_that_was_paid_is_not(
    pay: Pay, gateway: StripeGateway
) -> None:
    waits, paid = pay("threeDSecure2Required", op_id="w"), pay(op_id="p")
    given_up = [
        gateway.cancel_payment_intent(each.id, key=f"cancel:{each.id}", op_id="x", at=NOW)
        for each in (waits, paid)
    ]
    assert [each.status for each in given_up] == ["canceled", "succeeded"]
    assert given_up[1].latest_charge == paid.latest_charge, "Stripe's error does not expand it"


FAULTS: list[FaultKind] = ["refused_before", "failed_after", "lost_before", "lost_after"]


@pytest.mark.parametrize("later", [timedelta(minutes=1), timedelta(hours=23), 40 * DAY])
@pytest.mark.parametrize("kind", FAULTS)
def test_whatever_is_lost_one_payment_is_made(
    local: LocalStripe,
    fan: str,
    pay: Pay,
    kind: FaultKind,
    later: timedelta,
) -> None:
    card = keep_card(local, fan, "visa")
    local.faults.add(Fault(kind, "POST", "/v1/payment_intents"))
    with pytest.raises(Unavailable):
        pay(method=card)
    local.advance(int(later.total_seconds()))
    intent = pay(method=card, at=NOW + later)
    assert intent.status == "succeeded"
    assert made(local, fan) == 1
    assert pay(method=card, at=NOW + later + 2 * DAY).id == intent.id
    assert made(local, fan) == 1


def test_an_answer_is_lost_again_and_again(local: LocalStripe, fan: str, pay: Pay) -> None:
    card = keep_card(local, fan, "visa")
    local.faults.add(Fault("lost_after", "POST", "/v1/payment_intents", times=5))
    for _ in range(5):
        with pytest.raises(OutcomeUnknown):
            pay(method=card)
    assert pay(method=card).status == "succeeded"
    assert made(local, fan) == 1


def test_a_refund_is_booked_and_found(pay: Pay, gateway: StripeGateway) -> None:
    intent = pay()
    refund = gateway.create_refund(
        payment_intent=intent.id, amount_minor=400, key=f"refund:{new_id()}", op_id="r1", at=NOW
    )
    assert refund.status == "succeeded"
    assert refund.balance_transaction is not None
    assert refund.balance_transaction.net_minor == -400
    found = gateway.find_refund(payment_intent=intent.id, op_id="r1")
    assert found is not None and found.id == refund.id
    assert gateway.find_refund(payment_intent=intent.id, op_id="r2") is None
    booked = list(gateway.balance_transactions(source=refund.id))
    assert [each.id for each in booked] == [refund.balance_transaction.id]


def test_more_than_was_paid_is_not_given_back(pay: Pay, gateway: StripeGateway) -> None:
    intent = pay()
    with pytest.raises(StepBlocked) as raised:
        gateway.create_refund(
            payment_intent=intent.id, amount_minor=1001, key=f"r:{new_id()}", op_id="r", at=NOW
        )
    assert raised.value.code == "payment_request_refused"


def test_a_dispute_is_read_answered_and_lost(pay: Pay, gateway: StripeGateway) -> None:
    intent = pay("createDispute")
    assert intent.latest_charge_id is not None
    [dispute] = gateway.disputes_of(intent.latest_charge_id)
    assert (dispute.status, dispute.is_inquiry) == ("needs_response", False)
    assert dispute.amount_minor == 1000
    assert [each.amount_minor for each in dispute.balance_transactions] == [-1000]
    assert gateway.retrieve_charge(dispute.charge).is_disputed
    saved = gateway.submit_evidence(
        dispute.id,
        {"access_activity_log": "opened"},
        submit=False,
        key=f"evidence:{dispute.id}",
        op_id=dispute.id,
        at=NOW,
    )
    assert saved.has_evidence
    lost = gateway.close_dispute(dispute.id, key=f"close:{dispute.id}", op_id="d", at=NOW)
    assert lost.status == "lost"


def test_a_card_is_kept_shown_and_taken_away(
    gateway: StripeGateway, local: LocalStripe, fan: str
) -> None:
    card = keep_card(local, fan, "visa")
    [kept] = gateway.list_payment_methods(fan)
    assert (kept.id, kept.brand, kept.last4, kept.customer) == (card, "visa", "4242", fan)
    gone = gateway.detach_payment_method(card, key=f"detach:{card}", op_id=card, at=NOW)
    assert gone.customer is None
    assert gateway.list_payment_methods(fan) == []


def test_lists_are_read_to_their_end(pay: Pay, gateway: StripeGateway) -> None:
    """Pages have 100 objects."""
    for number in range(51):
        pay(op_id=f"c{number}")
    events = list(gateway.events_since(NOW, types=["payment_intent.succeeded"]))
    assert len(events) == len({event.id for event in events}) == 51
    everything = list(gateway.events_since(NOW))
    assert len(everything) > 100
    assert events[0].op_kind == "charge" and events[0].workflow_id == "tip:1"


def test_what_is_not_there_is_not_found(gateway: StripeGateway) -> None:
    with pytest.raises(NotFound):
        gateway.retrieve_payment_intent("pi_nowhere")
