"""Detaching removed cards."""

from __future__ import annotations

from datetime import UTC, datetime

import stripe
from sqlalchemy import Engine

from activities.payment_methods import CardActivities
from infra.db import transaction
from infra.models import PaymentMethod
from infra.stripe import StripeGateway
from tests.harness.rows import MakeUser
from tests.harness.stripe import GiveCard
from workflows.payment_methods.messages import CardRemovalOrder


def test_a_card_is_detached_once_and_only_when_it_was_removed(
    engine: Engine,
    gateway: StripeGateway,
    stripe_client: stripe.StripeClient,
    give_card: GiveCard,
    make_user: MakeUser,
) -> None:
    card = give_card(make_user())
    activities = CardActivities(engine, gateway)
    removed, later = datetime.now(UTC), datetime.now(UTC)

    activities.detach_card(CardRemovalOrder(card.id, removed))
    assert stripe_client.v1.payment_methods.retrieve(card.id).customer is not None

    with transaction(engine) as session:
        kept = session.get_one(PaymentMethod, card.id)
        kept.removed_at, kept.is_default = removed, False
    activities.detach_card(CardRemovalOrder(card.id, removed))
    activities.detach_card(CardRemovalOrder(card.id, later))
    assert stripe_client.v1.payment_methods.retrieve(card.id).customer is None
    with transaction(engine) as session:
        assert session.get_one(PaymentMethod, card.id).detached_at == removed
