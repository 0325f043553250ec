"""Runs that begin long after their fan has asked: what has changed since counts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import stripe
from sqlalchemy import Engine, update
from sqlalchemy.orm import Session
from temporalio.exceptions import ApplicationError

from activities.charges.paying import ChargeActivities
from devstack.stripe import Fault, LocalStripe
from domain.accounts import Role
from domain.charges.declines import sentence_for
from domain.charges.states import ChargeState, DeclineKind
from infra.db import transaction
from infra.ids import new_id
from infra.models import Charge, PaymentMethod, Tip, User
from infra.settings import Settings
from infra.stripe.gateway import StripeGateway
from tests.harness.rows import MakeUser
from tests.harness.stripe import GiveCard
from workflows.charges.messages import ChargeOrder
from workflows.tips.start import tip_order

NOW = datetime.now(UTC)
Change = Callable[[Session, Tip], object]


def suspend(session: Session, user_id: str) -> None:
    session.execute(update(User).where(User.id == user_id).values(suspended_at=NOW))


def delete(session: Session, user_id: str) -> None:
    session.execute(update(User).where(User.id == user_id).values(deleted_at=NOW))


def remove_card(session: Session, tip: Tip) -> None:
    card = session.get_one(PaymentMethod, tip.payment_method_id)
    card.removed_at, card.is_default = NOW, False


@pytest.fixture
def charging(settings: Settings, engine: Engine, gateway: StripeGateway) -> ChargeActivities:
    return ChargeActivities(settings, engine, gateway)


@pytest.fixture
def order(engine: Engine, make_user: MakeUser, give_card: GiveCard) -> ChargeOrder:
    """A tip whose run could not be started."""
    fan, creator = make_user(), make_user(role=Role.CREATOR)
    tip = Tip(
        id=new_id(),
        fan_id=fan.id,
        creator_id=creator.id,
        amount_minor=500,
        currency="USD",
        state="charging",
        payment_method_id=give_card(fan).id,
    )
    with transaction(engine) as session:
        session.add(tip)
    return tip_order(tip, at=NOW)


def meanwhile(engine: Engine, order: ChargeOrder, change: Change) -> None:
    with transaction(engine) as session:
        change(session, session.get_one(Tip, order.subject_id))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda session, tip: suspend(session, tip.fan_id), "account_closed"),
        (lambda session, tip: delete(session, tip.fan_id), "account_closed"),
        (lambda session, tip: suspend(session, tip.creator_id), "creator_closed"),
        (lambda session, tip: delete(session, tip.creator_id), "creator_closed"),
        (remove_card, "card_removed"),
    ],
)
def test_nothing_is_taken_that_may_not_be_any_more(
    charging: ChargeActivities,
    engine: Engine,
    order: ChargeOrder,
    stripe_client: stripe.StripeClient,
    change: Change,
    code: str,
) -> None:
    meanwhile(engine, order, change)
    outcome = charging.take_charge(order)
    assert (outcome.state, outcome.decline_code) == (ChargeState.DECLINED, code)
    assert outcome.decline_kind is DeclineKind.HARD
    assert "Nothing was taken" in sentence_for(code)
    assert charging.take_charge(order) == outcome
    assert stripe_client.v1.payment_intents.list().data == []
    with transaction(engine) as session:
        tip = session.get_one(Tip, order.subject_id)
        assert (tip.state, tip.decline_code) == ("declined", code)


def test_what_stripe_was_asked_for_is_followed_to_its_end(
    charging: ChargeActivities,
    engine: Engine,
    order: ChargeOrder,
    local_stripe: LocalStripe,
    stripe_client: stripe.StripeClient,
) -> None:
    """It took the money, and the answer was lost: to say that it was declined would be wrong."""
    local_stripe.faults.add(Fault("lost_after", method="POST", path="/v1/payment_intents"))
    with pytest.raises(ApplicationError) as lost:
        charging.take_charge(order)
    assert lost.value.type == "OutcomeUnknown"
    meanwhile(engine, order, remove_card)
    meanwhile(engine, order, lambda session, tip: suspend(session, tip.fan_id))
    outcome = charging.take_charge(order)
    assert outcome.state is ChargeState.PAID
    assert len(stripe_client.v1.payment_intents.list().data) == 1
    with transaction(engine) as session:
        assert session.get_one(Charge, outcome.charge_id).paid_at is not None
