"""PaymentIntents, payment methods, charges and refunds."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from devstack.stripe import Config, LocalStripe
from devstack.stripe.inprocess import client_of
from devstack.stripe.refunds import fail_refund
from devstack.stripe.taking import authenticated
from tests.unit.stripe_local.conftest import NOW
from tests.unit.stripe_local.paying import balance, charge_of, customer_with, event_types, pay

DAY = 86_400


def test_a_payment_takes_money_less_the_fee(
    local: LocalStripe, client: stripe.StripeClient
) -> None:
    charge = charge_of(pay(client))
    transaction = charge.balance_transaction
    assert isinstance(transaction, stripe.BalanceTransaction)
    assert (transaction.amount, transaction.fee, transaction.net) == (1000, 59, 941)
    assert (transaction.status, transaction.source) == ("pending", charge.id)
    assert balance(client) == (0, 941)
    local.advance(2 * DAY)
    assert balance(client) == (941, 0)
    assert client.v1.balance_transactions.retrieve(transaction.id).status == "available"
    assert event_types(client) == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
    ]


@pytest.mark.parametrize(
    ("method", "code", "decline_code"),
    [
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("pm_card_visa_chargeDeclinedStolenCard", "card_declined", "stolen_card"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error"),
        ("pm_card_radarBlock", "card_declined", "fraudulent"),
    ],
)
def test_a_declined_card_leaves_a_failed_charge(
    client: stripe.StripeClient, method: str, code: str, decline_code: str
) -> None:
    with pytest.raises(stripe.CardError) as raised:
        pay(client, method)
    error = raised.value.error
    assert error is not None
    assert (raised.value.http_status, error.code, error.decline_code) == (402, code, decline_code)
    assert error.payment_intent is not None and error.charge is not None
    assert error.payment_intent.status == "requires_payment_method"
    charge = client.v1.charges.retrieve(error.charge)
    assert (charge.status, charge.paid, charge.failure_code) == ("failed", False, code)
    assert charge.balance_transaction is None
    assert balance(client) == (0, 0)
    assert event_types(client)[-2:] == ["charge.failed", "payment_intent.payment_failed"]


def test_a_card_that_declines_is_not_saved_but_one_may_decline_later(
    client: stripe.StripeClient,
) -> None:
    with pytest.raises(stripe.CardError):
        customer_with(client, "pm_card_chargeDeclined")
    customer, method = customer_with(client, "pm_card_chargeCustomerFail")
    with pytest.raises(stripe.CardError):
        pay(client, method, customer=customer, off_session=True)


def test_another_card_may_be_tried_on_the_same_intent(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.CardError) as raised:
        pay(client, "pm_card_chargeDeclined")
    assert raised.value.error is not None and raised.value.error.payment_intent is not None
    intent = client.v1.payment_intents.confirm(
        raised.value.error.payment_intent.id, {"payment_method": "pm_card_visa"}
    )
    assert intent.status == "succeeded"
    assert intent.last_payment_error is None
    assert len(client.v1.charges.list({"payment_intent": intent.id}).data) == 2


@pytest.mark.parametrize(
    ("method", "off_session", "set_up", "asks"),
    [
        ("pm_card_visa", False, False, False),
        ("pm_card_authenticationRequired", False, False, True),
        ("pm_card_authenticationRequired", True, True, True),
        ("pm_card_authenticationRequiredOnSetup", True, False, True),
        ("pm_card_authenticationRequiredOnSetup", True, True, False),
        ("pm_card_authenticationRequiredOnSetup", False, True, True),
        ("pm_card_authenticationRequiredSetupForOffSession", True, False, False),
        ("pm_card_authenticationRequiredSetupForOffSession", False, False, True),
    ],
)
def test_when_a_card_asks_for_authentication(
    local: LocalStripe,
    client: stripe.StripeClient,
    method: str,
    off_session: bool,
    set_up: bool,
    asks: bool,
) -> None:
    customer, saved = customer_with(client, method)
    if set_up:
        first = pay(client, saved, customer=customer, setup_future_usage="off_session")
        authenticated(local.scope(), first.id, passed=True)
    if asks and off_session:
        with pytest.raises(stripe.CardError) as raised:
            pay(client, saved, customer=customer, off_session=True)
        assert raised.value.code == "authentication_required"
        return
    more: dict[str, Any] = {"off_session": True} if off_session else {}
    intent = pay(client, saved, customer=customer, **more)
    assert intent.status == ("requires_action" if asks else "succeeded")


def test_authentication_completes_or_fails_the_payment(
    local: LocalStripe, client: stripe.StripeClient
) -> None:
    passed = pay(client, "pm_card_authenticationRequired", return_url="https://fan.example/back")
    assert passed.next_action is not None and passed.next_action.redirect_to_url is not None
    assert passed.next_action.redirect_to_url.return_url == "https://fan.example/back"
    assert passed.latest_charge is None
    authenticated(local.scope(), passed.id, passed=True)
    assert client.v1.payment_intents.retrieve(passed.id).status == "succeeded"

    failed = pay(client, "pm_card_authenticationRequired")
    assert failed.next_action is not None and failed.next_action.type == "use_stripe_sdk"
    authenticated(local.scope(), failed.id, passed=False)
    again = client.v1.payment_intents.retrieve(failed.id)
    assert again.status == "requires_payment_method"
    assert again.last_payment_error is not None
    assert again.last_payment_error.code == "payment_intent_authentication_failure"


def test_a_bank_may_decline_after_authentication(
    local: LocalStripe, client: stripe.StripeClient
) -> None:
    intent = pay(client, "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds")
    authenticated(local.scope(), intent.id, passed=True)
    again = client.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge"]})
    assert again.status == "requires_payment_method"
    assert charge_of(again).status == "failed"


def test_an_intent_may_be_canceled_until_it_is_paid(client: stripe.StripeClient) -> None:
    open_intent = pay(client, "pm_card_authenticationRequired")
    canceled = client.v1.payment_intents.cancel(
        open_intent.id, {"cancellation_reason": "abandoned"}
    )
    assert (canceled.status, canceled.cancellation_reason) == ("canceled", "abandoned")
    paid = pay(client)
    with pytest.raises(stripe.InvalidRequestError) as raised:
        client.v1.payment_intents.cancel(paid.id)
    assert raised.value.code == "payment_intent_unexpected_state"


def test_a_held_payment_is_captured_in_part(client: stripe.StripeClient) -> None:
    intent = pay(client, capture_method="manual")
    assert (intent.status, intent.amount_capturable) == ("requires_capture", 1000)
    assert balance(client) == (0, 0)
    captured = client.v1.payment_intents.capture(intent.id, {"amount_to_capture": 400})
    assert (captured.status, captured.amount_received) == ("succeeded", 400)
    assert balance(client) == (0, 400 - 42)


def test_the_balance_transaction_may_come_later() -> None:
    local = LocalStripe(now=NOW, seed="late", config=Config(async_capture_seconds=60))
    client = client_of(local)
    charge = charge_of(pay(client))
    assert (charge.paid, charge.balance_transaction) == (True, None)
    local.advance(60)
    assert client.v1.charges.retrieve(charge.id).balance_transaction is not None
    assert event_types(client)[-1] == "charge.updated"


def test_a_payment_may_be_processing_for_a_while() -> None:
    local = LocalStripe(now=NOW, seed="slow", config=Config(processing_seconds=60))
    client = client_of(local)
    intent = pay(client)
    assert intent.status == "processing"
    local.advance(60)
    assert client.v1.payment_intents.retrieve(intent.id).status == "succeeded"


def test_a_saved_card_has_the_fingerprint_of_its_number(client: stripe.StripeClient) -> None:
    prints = []
    for method in ("pm_card_visa", "pm_card_visa", "pm_card_mastercard"):
        _, saved = customer_with(client, method)
        card = client.v1.payment_methods.retrieve(saved).card
        assert card is not None
        prints.append(card.fingerprint)
    assert prints[0] == prints[1] != prints[2]
    made = client.v1.payment_methods.create(
        {"type": "card", "card": {"number": "4242424242424242", "exp_month": 1, "exp_year": 2030}}
    )
    assert made.card is not None
    assert (made.card.fingerprint, made.card.exp_year) == (prints[0], 2030)


def test_a_card_number_with_a_wrong_digit_is_refused(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.CardError) as raised:
        client.v1.payment_methods.create(
            {
                "type": "card",
                "card": {"number": "4242424242424241", "exp_month": 1, "exp_year": 2030},
            }
        )
    assert raised.value.code == "incorrect_number"


def test_a_detached_or_used_method_is_at_its_end(client: stripe.StripeClient) -> None:
    customer, saved = customer_with(client, "pm_card_visa")
    with pytest.raises(stripe.InvalidRequestError):
        pay(client, saved)
    client.v1.payment_methods.detach(saved)
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        pay(client, saved, customer=customer)
    used = pay(client).payment_method
    assert isinstance(used, str)
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        pay(client, used)


def test_refunds_are_capped_by_the_charge(client: stripe.StripeClient) -> None:
    intent = pay(client)
    client.v1.refunds.create({"payment_intent": intent.id, "amount": 300})
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded"):
        client.v1.refunds.create({"payment_intent": intent.id, "amount": 701})
    rest = client.v1.refunds.create({"charge": charge_of(intent).id})
    assert (rest.amount, rest.status) == (700, "succeeded")
    with pytest.raises(stripe.InvalidRequestError) as raised:
        client.v1.refunds.create({"payment_intent": intent.id})
    assert raised.value.code == "charge_already_refunded"
    charge = client.v1.charges.retrieve(charge_of(intent).id, {"expand": ["refunds"]})
    assert (charge.refunded, charge.amount_refunded) == (True, 1000)
    assert charge.refunds is not None and len(charge.refunds.data) == 2
    assert balance(client) == (0, -59)


def test_a_pending_refund_succeeds_later(local: LocalStripe, client: stripe.StripeClient) -> None:
    refund = client.v1.refunds.create({"payment_intent": pay(client, "pm_card_pendingRefund").id})
    assert refund.status == "pending"
    local.advance(DAY)
    assert client.v1.refunds.retrieve(refund.id).status == "succeeded"
    assert event_types(client)[-2:] == ["refund.updated", "charge.refund.updated"]


def test_a_refund_that_fails_gives_the_money_back(
    local: LocalStripe, client: stripe.StripeClient
) -> None:
    intent = pay(client, "pm_card_refundFail")
    refund = client.v1.refunds.create({"payment_intent": intent.id})
    assert (refund.status, balance(client)) == ("succeeded", (0, -59))
    local.advance(DAY)
    failed = client.v1.refunds.retrieve(refund.id, {"expand": ["failure_balance_transaction"]})
    assert failed.status == "failed"
    assert isinstance(failed.failure_balance_transaction, stripe.BalanceTransaction)
    assert failed.failure_balance_transaction.type == "refund_failure"
    assert balance(client) == (0, 941)
    assert client.v1.charges.retrieve(charge_of(intent).id).amount_refunded == 0
    assert "refund.failed" in event_types(client)
    with pytest.raises(Exception, match="failed already"):
        fail_refund(local.scope(), refund.id)
