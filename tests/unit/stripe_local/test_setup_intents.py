"""SetupIntents: a card is saved, asks for authentication first, or is declined."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from devstack.stripe import LocalStripe
from devstack.stripe.setup_intents import setup_authenticated
from tests.unit.stripe_local.paying import pay


def _set_up(client: stripe.StripeClient, method: str) -> stripe.SetupIntent:
    customer = client.v1.customers.create({})
    params: Any = {
        "customer": customer.id,
        "payment_method": method,
        "allowed_payment_method_types": ["card"],
        "confirm": True,
    }
    return client.v1.setup_intents.create(params)


def test_a_card_is_saved_to_its_customer(client: stripe.StripeClient) -> None:
    setup = _set_up(client, "pm_card_visa")
    assert setup.status == "succeeded"
    method = client.v1.payment_methods.retrieve(str(setup.payment_method))
    assert method.customer == setup.customer


def test_a_declined_card_is_not_saved(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.CardError) as raised:
        _set_up(client, "pm_card_chargeDeclined")
    assert raised.value.error is not None and raised.value.error.setup_intent is not None
    assert raised.value.error.setup_intent.status == "requires_payment_method"


@pytest.mark.parametrize("passed", [True, False])
def test_authentication_at_setup_spares_it_later(
    local: LocalStripe, client: stripe.StripeClient, passed: bool
) -> None:
    setup = _set_up(client, "pm_card_authenticationRequiredOnSetup")
    assert (setup.status, setup.next_action is not None) == ("requires_action", True)
    setup_authenticated(local.scope(), setup.id, passed=passed)
    again = client.v1.setup_intents.retrieve(setup.id)
    if not passed:
        assert again.status == "requires_payment_method"
        assert again.last_setup_error is not None
        assert again.last_setup_error.code == "setup_intent_authentication_failure"
        return
    later = pay(client, str(again.payment_method), customer=again.customer, off_session=True)
    assert later.status == "succeeded"


def test_a_setup_may_be_canceled_until_it_succeeds(client: stripe.StripeClient) -> None:
    setup = _set_up(client, "pm_card_authenticationRequired")
    assert client.v1.setup_intents.cancel(setup.id).status == "canceled"
    with pytest.raises(stripe.InvalidRequestError) as raised:
        client.v1.setup_intents.confirm(setup.id)
    assert raised.value.code == "setup_intent_unexpected_state"


def test_each_card_that_is_tried_is_listed(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create({})
    setup = client.v1.setup_intents.create(
        {"customer": customer.id, "allowed_payment_method_types": ["card"]}
    )
    for method in ("pm_card_chargeDeclined", "pm_card_chargeDeclinedStolenCard"):
        with pytest.raises(stripe.CardError):
            client.v1.setup_intents.confirm(setup.id, {"payment_method": method})
    client.v1.setup_intents.confirm(setup.id, {"payment_method": "pm_card_visa"})
    attempts = client.v1.setup_attempts.list({"setup_intent": setup.id}).data
    assert [each.status for each in attempts] == ["succeeded", "failed", "failed"]
    codes = [each.setup_error.decline_code for each in attempts if each.setup_error]
    assert codes == ["stolen_card", "generic_decline"]
