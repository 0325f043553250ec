"""Who tries out stolen numbers by adding them: stopped as who tries them out in payments is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2 as httpx
import pytest
import stripe
from sqlalchemy import Engine, select

from activities.payment_methods import CardActivities
from domain.payment_methods import CARDS_MAX, DECLINES_PER_DAY_MAX, SETUPS_OPEN_MAX
from infra.db import transaction
from infra.ids import new_id
from infra.models import CardSetup, PaymentMethod, User
from infra.stripe.gateway import StripeGateway
from tests.e2e.api.buying.test_unlocks_api import call
from tests.harness.api import RunningApi
from tests.harness.rows import MakeUser
from workflows.payment_methods.messages import CardSetupLook, CardSetupOrder

pytestmark = pytest.mark.usefixtures("paying")

DECLINED = "pm_card_chargeDeclined"


@pytest.fixture
def fan(make_user: MakeUser) -> User:
    return make_user()


async def begin(client: httpx.Client) -> httpx.Response:
    return await call(client, "POST", "/me/card-setups")


async def confirmed(client: httpx.Client, setup_id: str) -> dict[str, Any]:
    answer = await call(client, "POST", f"/me/card-setups/{setup_id}/confirmed")
    body: dict[str, Any] = answer.json()
    return body


def intent_of(engine: Engine, setup_id: str) -> str:
    with transaction(engine) as session:
        intent_id = session.get_one(CardSetup, setup_id).setup_intent_id
    assert intent_id is not None
    return intent_id


def try_card(client: stripe.StripeClient, intent_id: str) -> None:
    with pytest.raises(stripe.CardError):
        client.v1.setup_intents.confirm(intent_id, {"payment_method": DECLINED})


async def test_only_so_many_forms_are_open_at_a_time(
    api: RunningApi, engine: Engine, fan: User, stripe_client: stripe.StripeClient
) -> None:
    client = api.client(fan)
    begun = [(await begin(client)).json()["id"] for _ in range(SETUPS_OPEN_MAX)]
    refused = await begin(client)
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_card_setups")
    assert refused.json()["facts"] == {"limit": SETUPS_OPEN_MAX, "card_setup_id": begun[-1]}
    intent_id = intent_of(engine, begun[0])
    stripe_client.v1.setup_intents.confirm(intent_id, {"payment_method": "pm_card_visa"})
    assert (await confirmed(client, begun[0]))["state"] == "succeeded"
    assert (await begin(client)).status_code == 201


async def test_a_card_that_is_being_added_counts_among_the_cards(
    api: RunningApi, engine: Engine, fan: User
) -> None:
    with transaction(engine) as session:
        for number in range(CARDS_MAX - 1):
            session.add(
                PaymentMethod(
                    id=f"pm_{number}{new_id()[-8:]}",
                    fan_id=fan.id,
                    brand="visa",
                    last4="4242",
                    exp_month=12,
                    exp_year=2040,
                )
            )
    client = api.client(fan)
    assert (await begin(client)).status_code == 201
    assert (await begin(client)).json()["code"] == "too_many_cards"


async def test_cards_declined_in_a_form_count_and_close_it(
    api: RunningApi, engine: Engine, fan: User, stripe_client: stripe.StripeClient
) -> None:
    client = api.client(fan)
    first, second = [(await begin(client)).json()["id"] for _ in range(2)]
    for _ in range(DECLINES_PER_DAY_MAX - 1):
        try_card(stripe_client, intent_of(engine, first))
    told = await confirmed(client, first)
    assert (told["state"], told["decline"]["code"]) == ("open", "generic_decline")
    assert (await confirmed(client, first))["state"] == "open", "each is counted once"
    try_card(stripe_client, intent_of(engine, second))
    told = await confirmed(client, second)
    assert (told["state"], told["client_secret"]) == ("canceled", None)
    intent = stripe_client.v1.setup_intents.retrieve(intent_of(engine, second))
    assert intent.status == "canceled"
    refused = await begin(client)
    assert (refused.status_code, refused.json()["facts"]["limit"]) == (429, "declines")
    assert 0 < int(refused.headers["retry-after"]) <= 86_400
    # And nothing else takes a card of theirs, either.
    tip = {"amount_minor": 500, "currency": "USD"}
    path, headers = f"/creators/{new_id()}/tips", {"idempotency-key": new_id()}
    answer = await call(client, "POST", path, json=tip, headers=headers)
    assert answer.status_code == 429


async def test_a_form_that_has_expired_takes_no_card_any_more(
    engine: Engine, fan: User, gateway: StripeGateway, stripe_client: stripe.StripeClient
) -> None:
    now, setup_id = datetime.now(UTC), new_id()
    with transaction(engine) as session:
        session.add(CardSetup(id=setup_id, fan_id=fan.id, state="open", created_at=now))
    cards = CardActivities(engine, gateway)
    cards.begin_card_setup(CardSetupOrder(setup_id, fan.id, now))
    look = CardSetupLook(setup_id, now + timedelta(hours=23), is_last=True)
    assert cards.look_at_card_setup(look).state == "expired"
    with pytest.raises(stripe.InvalidRequestError) as raised:
        try_card(stripe_client, intent_of(engine, setup_id))
    assert raised.value.code == "setup_intent_unexpected_state"
    with transaction(engine) as session:
        assert not session.scalars(
            select(PaymentMethod).where(PaymentMethod.fan_id == fan.id)
        ).all()
