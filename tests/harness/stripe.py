"""A Stripe of a test's own, and fans who have cards there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Protocol

import pytest
import stripe
from pydantic import SecretStr
from sqlalchemy import Engine

from devstack.stripe import LocalStripe
from devstack.stripe.inprocess import InProcessClient, client_of
from devstack.stripe.taking import authenticated
from infra.db import transaction
from infra.ids import new_id
from infra.models import Charge, PaymentMethod, StripeCustomer, User
from infra.queries.payment_methods.setups import keep_card, keep_customer
from infra.settings import Settings
from infra.stripe.gateway import StripeGateway


class GiveCard(Protocol):
    def __call__(self, fan: User, card: str = ...) -> PaymentMethod: ...


def authenticate(local: LocalStripe, charge: Charge, *, succeeds: bool) -> None:
    """What a fan does on their bank's page."""
    assert charge.payment_intent_id is not None, "Stripe knows of it"
    authenticated(local.scope(), charge.payment_intent_id, passed=succeeds)


@pytest.fixture
def local_stripe() -> LocalStripe:
    """In this process, with nothing in it, its clock at the present. Its ids are its own: runs of
    an earlier test, which go on in a Temporal that all share, must not find theirs in it."""
    return LocalStripe(now=int(time.time()), seed=new_id())


@pytest.fixture
def stripe_client(local_stripe: LocalStripe) -> stripe.StripeClient:
    """Stripe's own client on it, for what a browser or the dashboard would do."""
    return client_of(local_stripe)


@pytest.fixture
def gateway(
    local_stripe: LocalStripe, settings: Settings, engine: Engine
) -> Iterator[StripeGateway]:
    gateway = StripeGateway(
        settings.model_copy(update={"stripe_secret_key": SecretStr("sk_test_local")}),
        engine,
        http_client=InProcessClient(local_stripe),
    )
    yield gateway
    gateway.close()


@pytest.fixture
def give_card(
    engine: Engine, gateway: StripeGateway, stripe_client: stripe.StripeClient
) -> GiveCard:
    """Have a fan set up one of Stripe's test cards, `pm_card_visa` by default."""

    def give(fan: User, card: str = "pm_card_visa") -> PaymentMethod:
        now = datetime.now(UTC)
        with transaction(engine) as session:
            known = session.get(StripeCustomer, fan.id)
        customer_id = (
            known.customer_id
            if known is not None
            else gateway.create_customer(key=f"customer:{fan.id}:create:1", op_id=fan.id, at=now).id
        )
        attached = stripe_client.v1.payment_methods.attach(card, {"customer": customer_id})
        described = gateway.retrieve_payment_method(attached.id)
        with transaction(engine) as session:
            keep_customer(session, fan_id=fan.id, customer_id=customer_id, at=now)
            keep_card(session, described, fan_id=fan.id, at=now)
        with transaction(engine) as session:
            return session.get_one(PaymentMethod, described.id)

    return give
