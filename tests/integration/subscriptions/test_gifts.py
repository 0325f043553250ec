"""Gifts of one tier to one fan that are given at the same moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from infra.db import transaction
from infra.ids import new_id
from infra.models import Entitlement, Gift, Tier, User
from infra.queries.gifts.effects import give
from infra.queries.gifts.giving import Compliment, give_compliment
from tests.harness.rows import MakeUser

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def giver(make_user: MakeUser) -> User:
    return make_user()


def bought(engine: Engine, giver: User, fan: User, tier: Tier) -> str:
    """A gift that is being paid for."""
    gift = Gift(
        id=new_id(),
        kind="bought",
        giver_id=giver.id,
        recipient_id=fan.id,
        creator_id=tier.creator_id,
        tier_id=tier.id,
        months=1,
        price_minor=tier.price_minor,
        currency=tier.currency,
        payment_method_id="pm_giver",
        state="charging",
    )
    with transaction(engine) as session:
        session.add(gift)
    return gift.id


def test_a_gift_that_is_paid_while_another_is_given_follows_it(
    engine: Engine, giver: User, fan: User, tier: Tier
) -> None:
    gift_id = bought(engine, giver, fan, tier)
    compliment = Compliment(
        id=new_id(),
        creator_id=tier.creator_id,
        recipient=fan.handle,
        tier_id=tier.id,
        days=10,
        note="",
        at=NOW,
    )

    def pay() -> None:
        with transaction(engine) as session:
            give(session, session.get_one(Gift, gift_id), at=NOW)

    with ThreadPoolExecutor(1) as other:
        with transaction(engine) as session:
            give_compliment(session, compliment)
            paying = other.submit(pay)
            # It would be through by then, if it did not wait.
            with pytest.raises(TimeoutError):
                paying.result(timeout=0.5)
        paying.result(timeout=10)
    with transaction(engine) as session:
        first, later = (
            session.get_one(Entitlement, session.get_one(Gift, each).entitlement_id)
            for each in (compliment.id, gift_id)
        )
        assert first.expires_at == NOW + timedelta(days=10) == later.starts_at
