"""Events and the webhooks that tell of them."""

from __future__ import annotations

import pytest
import stripe

from devstack.stripe import Config, Endpoint, LocalStripe
from devstack.stripe.inprocess import client_of
from devstack.stripe.webhooks import PAUSES_SECONDS
from tests.unit.stripe_local.conftest import NOW
from tests.unit.stripe_local.paying import event_types, pay

DAY = 86_400
HEARS = Endpoint("http://api.example/stripe", "whsec_platform")
CONNECT = Endpoint("http://api.example/connect", "whsec_connect", connect=True)


@pytest.fixture
def local() -> LocalStripe:
    return LocalStripe(now=NOW, seed="hooks", config=Config(endpoints=(HEARS, CONNECT)))


def _read(body: bytes, signature: str, secret: str) -> stripe.Event:
    """The event, if its signature holds; however old it is, since this clock is Stripe's own."""
    ages = 100 * 365 * DAY
    event: stripe.Event = stripe.Webhook.construct_event(body, signature, secret, tolerance=ages)
    return event


def test_a_delivery_is_signed_and_says_what_happened(
    local: LocalStripe, client: stripe.StripeClient
) -> None:
    intent = pay(client, key="k")
    deliveries = local.due_deliveries()
    assert [row.event_type for row in deliveries] == event_types(client)
    last = deliveries[-1]
    signature = last.headers["Stripe-Signature"]
    event = _read(last.body, signature, "whsec_platform")
    assert (event.type, event.id) == ("payment_intent.succeeded", last.event_id)
    assert event.data.object["id"] == intent.id
    assert event.request is not None and event.request.idempotency_key == "k"
    with pytest.raises(stripe.SignatureVerificationError):
        _read(last.body, signature, "whsec_connect")


def test_a_delivery_is_due_until_it_is_answered(
    local: LocalStripe, client: stripe.StripeClient
) -> None:
    client.v1.customers.create({})
    (delivery,) = local.due_deliveries()
    event = client.v1.events.retrieve(delivery.event_id)
    assert event.pending_webhooks == 1
    local.delivered(delivery.id, 500)
    assert local.due_deliveries() == []
    local.advance(PAUSES_SECONDS[0])
    (again,) = local.due_deliveries()
    assert (again.id, again.attempt) == (delivery.id, 2)
    local.delivered(again.id, 200)
    local.delivered(again.id, 200)
    local.advance(DAY)
    assert local.due_deliveries() == []
    assert client.v1.events.retrieve(delivery.event_id).pending_webhooks == 0


def test_a_delivery_is_given_up_after_three_days(
    local: LocalStripe, client: stripe.StripeClient
) -> None:
    client.v1.customers.create({})
    attempts = 0
    for _ in range(80):
        for delivery in local.due_deliveries():
            attempts += 1
            local.delivered(delivery.id, 0)
        local.advance(3_600)
    assert attempts == len(PAUSES_SECONDS) + 1
    undelivered = client.v1.events.list({"delivery_success": False})
    assert [event.type for event in undelivered.data] == ["customer.created"]


def test_events_are_listed_by_type_for_thirty_days(
    local: LocalStripe, client: stripe.StripeClient
) -> None:
    client.v1.customers.create({})
    pay(client)
    kinds = client.v1.events.list({"types": ["payment_intent.*"]})
    assert {event.type for event in kinds.data} == {
        "payment_intent.created",
        "payment_intent.succeeded",
    }
    local.advance(30 * DAY)
    assert client.v1.events.list().data == []


def test_an_event_shows_the_object_as_it_was(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create({"name": "Ann"})
    client.v1.customers.update(customer.id, {"name": "Anna"})
    changed, made = client.v1.events.list().data
    assert made.data.object["name"] == "Ann"
    assert changed.data.object["name"] == "Anna"
    assert changed.data.previous_attributes is not None
    assert changed.data.previous_attributes["name"] == "Ann"


def test_an_endpoint_made_by_the_api_hears_what_it_wants(client: stripe.StripeClient) -> None:
    local = LocalStripe(now=NOW, seed="made")
    client = client_of(local)
    endpoint = client.v1.webhook_endpoints.create(
        {"url": "http://api.example/hook", "enabled_events": ["charge.succeeded"]}
    )
    assert endpoint.secret is not None
    assert "secret" not in client.v1.webhook_endpoints.retrieve(endpoint.id).to_dict()
    pay(client)
    (delivery,) = local.due_deliveries()
    event = _read(delivery.body, delivery.headers["Stripe-Signature"], endpoint.secret)
    assert event.type == "charge.succeeded"
    client.v1.webhook_endpoints.delete(endpoint.id)
    assert local.due_deliveries() == []
