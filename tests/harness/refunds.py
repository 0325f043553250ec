"""Sales on the local Stripe, and what follows refunds and disputes of them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine
from temporalio.client import Client

from activities.charges.taking import ChargeTaker
from activities.disputes import DisputeActivities
from activities.refunds import RefundActivities
from devstack.stripe import LocalStripe
from domain.accounts import Role
from infra.models import User
from infra.settings import Settings
from infra.stripe.gateway import StripeGateway
from tests.harness.rows import MakeUser
from tests.harness.sales import Sales
from tests.harness.stripe import GiveCard


@pytest.fixture
def sales(
    engine: Engine,
    settings: Settings,
    gateway: StripeGateway,
    local_stripe: LocalStripe,
    give_card: GiveCard,
    make_user: MakeUser,
) -> Sales:
    creator = make_user(
        role=Role.CREATOR, email="maker@example.com", email_verified_at=datetime.now(UTC)
    )
    taker = ChargeTaker(settings, engine, gateway)
    return Sales(engine, local_stripe, taker, give_card, creator)


@pytest.fixture
def fan(make_user: MakeUser) -> User:
    return make_user(email="fan@example.com", email_verified_at=datetime.now(UTC))


@pytest.fixture
def refunding(
    settings: Settings, engine: Engine, gateway: StripeGateway, temporal_client: Client
) -> RefundActivities:
    return RefundActivities(settings, engine, gateway, temporal_client)


@pytest.fixture
def following(settings: Settings, engine: Engine, gateway: StripeGateway) -> DisputeActivities:
    return DisputeActivities(settings, engine, gateway)
