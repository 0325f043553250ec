"""Steps that most tests of the local Stripe begin with."""

from __future__ import annotations

from typing import Any

import stripe


def customer_with(client: stripe.StripeClient, method: str) -> tuple[str, str]:
    """A customer and a saved payment method: their ids."""
    customer = client.v1.customers.create({"email": "fan@example.com"})
    saved = client.v1.payment_methods.attach(method, {"customer": customer.id})
    return customer.id, saved.id


def pay(
    client: stripe.StripeClient,
    method: str = "pm_card_visa",
    *,
    amount: int = 1000,
    key: str | None = None,
    **more: Any,
) -> stripe.PaymentIntent:
    """A PaymentIntent, confirmed at once, with its charge and balance transaction expanded."""
    params: Any = {
        "amount": amount,
        "currency": "usd",
        "payment_method": method,
        "allowed_payment_method_types": ["card"],
        "confirm": True,
        "expand": ["latest_charge.balance_transaction"],
        **more,
    }
    return client.v1.payment_intents.create(params, {"idempotency_key": key})


def charge_of(intent: stripe.PaymentIntent) -> stripe.Charge:
    assert isinstance(intent.latest_charge, stripe.Charge)
    return intent.latest_charge


def event_types(client: stripe.StripeClient, account: str | None = None) -> list[str]:
    """The types of all events, oldest first."""
    events = client.v1.events.list({"limit": 100}, {"stripe_account": account})
    return [event.type for event in reversed(events.data)]


def balance(client: stripe.StripeClient, account: str | None = None) -> tuple[int, int]:
    """(available, pending) in US cents."""
    found = client.v1.balance.retrieve({}, {"stripe_account": account})
    return (
        sum(part.amount for part in found.available if part.currency == "usd"),
        sum(part.amount for part in found.pending if part.currency == "usd"),
    )
