"""Tips and cards: real Temporal, real workers, a Stripe in this process."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2 as httpx
import pytest
import stripe
from sqlalchemy import Engine, delete

from domain.accounts import Role
from infra.db import transaction
from infra.ids import new_id
from infra.models import Block, CardSetup, Creator, IdempotencyRecord, PaymentMethod, User
from tests.e2e.api.buying.test_unlocks_api import call
from tests.harness.api import RunningApi
from tests.harness.rows import MakeUser
from tests.harness.stripe import GiveCard

pytestmark = pytest.mark.usefixtures("paying")


@pytest.fixture
def creator(make_user: MakeUser) -> User:
    return make_user(role=Role.CREATOR)


@pytest.fixture
def fan(make_user: MakeUser) -> User:
    return make_user(created_at=datetime.now(UTC) - timedelta(days=10))


async def tip(
    client: httpx.Client, creator: User, amount_minor: int = 500, *, key: str | None = None
) -> dict[str, Any]:
    wish = {"amount_minor": amount_minor, "currency": "USD", "note": "Lovely!"}
    headers = {"idempotency-key": key or new_id()}
    path = f"/creators/{creator.id}/tips"
    answer = await call(client, "POST", path, json=wish, headers=headers)
    return {"status": answer.status_code, **answer.json()}


async def test_a_tip_is_sent_and_its_words_are_read(
    api: RunningApi, fan: User, creator: User, give_card: GiveCard
) -> None:
    give_card(fan)
    sent = await tip(api.client(fan), creator)
    assert (sent["state"], sent["payment"]["amount_minor"]) == ("sent", 500)
    received = (await call(api.client(creator), "GET", "/me/tips")).json()["data"]
    assert [(each["note"], each["amount_minor"]) for each in received] == [("Lovely!", 500)]
    payments = (await call(api.client(fan), "GET", "/me/payments")).json()["data"]
    assert [(each["kind"], each["state"]) for each in payments] == [("tip", "paid")]
    sales = (await call(api.client(creator), "GET", "/me/sales")).json()["data"]
    assert [each["fan"]["id"] for each in sales] == [fan.id]


async def test_the_same_key_is_the_same_tip_even_where_no_answer_was_kept(
    api: RunningApi,
    engine: Engine,
    fan: User,
    creator: User,
    give_card: GiveCard,
    stripe_client: stripe.StripeClient,
) -> None:
    card = give_card(fan)
    key = new_id()
    first = await tip(api.client(fan), creator, key=key)
    with transaction(engine) as session:
        session.execute(delete(IdempotencyRecord))
        kept = session.get_one(PaymentMethod, card.id)
        kept.removed_at, kept.is_default = datetime.now(UTC), False
    assert (await tip(api.client(fan), creator, key=key))["id"] == first["id"]
    with transaction(engine) as session:
        session.execute(delete(IdempotencyRecord))
    other = await tip(api.client(fan), creator, 700, key=key)
    assert other["code"] == "idempotency_key_reused"
    assert len(stripe_client.v1.payment_intents.list().data) == 1


@pytest.mark.parametrize("amount_minor", [99, 20_001])
async def test_tips_have_bounds(
    api: RunningApi,
    fan: User,
    creator: User,
    give_card: GiveCard,
    amount_minor: int,
) -> None:
    give_card(fan)
    assert (await tip(api.client(fan), creator, amount_minor))["code"] == "tip_out_of_bounds"


async def test_a_creator_says_what_they_want_at_least(
    api: RunningApi, engine: Engine, fan: User, creator: User, give_card: GiveCard
) -> None:
    give_card(fan)
    with transaction(engine) as session:
        session.get_one(Creator, creator.id).tip_minimum_minor = 500
    refused = await tip(api.client(fan), creator, 499)
    assert (refused["code"], refused["facts"]["least_minor"]) == ("tip_out_of_bounds", 500)
    # Where they want so much at least, nothing can be less by being in another currency.
    with transaction(engine) as session:
        session.get_one(Creator, creator.id).currency = "EUR"
    for amount_minor in (499, 500):
        refused = await tip(api.client(fan), creator, amount_minor)
        assert (refused["status"], refused["code"]) == (422, "tip_currency_differs")
        assert refused["facts"] == {"currency": "EUR", "least_minor": 500}
    with transaction(engine) as session:
        session.get_one(Creator, creator.id).tip_minimum_minor = None
    assert (await tip(api.client(fan), creator, 499))["state"] == "sent"


async def test_a_day_has_its_limit(
    api: RunningApi, fan: User, creator: User, give_card: GiveCard
) -> None:
    give_card(fan)
    client = api.client(fan)
    assert (await tip(client, creator, 15_000))["state"] == "sent"
    refused = await tip(client, creator, 5_001)
    assert (refused["status"], refused["code"]) == (409, "tips_exhausted")
    assert refused["facts"]["left_minor"] == 5_000
    assert (await tip(client, creator, 5_000))["state"] == "sent"


async def test_a_blocked_fan_finds_no_creator(
    api: RunningApi, engine: Engine, fan: User, creator: User, give_card: GiveCard
) -> None:
    give_card(fan)
    with transaction(engine) as session:
        session.add(Block(blocker_id=creator.id, blocked_id=fan.id))
    assert (await tip(api.client(fan), creator))["code"] == "creator_not_found"


async def test_a_card_is_added_through_the_browser(
    api: RunningApi, engine: Engine, fan: User, stripe_client: stripe.StripeClient
) -> None:
    client = api.client(fan)
    begun = await call(client, "POST", "/me/card-setups")
    assert begun.status_code == 201, begun.text
    setup = begun.json()
    assert begun.headers["location"] == f"/api/v1/me/card-setups/{setup['id']}"
    assert setup["client_secret"].startswith("seti_")
    with transaction(engine) as session:
        intent_id = session.get_one(CardSetup, setup["id"]).setup_intent_id
    assert intent_id is not None
    stripe_client.v1.setup_intents.confirm(intent_id, {"payment_method": "pm_card_visa"})
    told = (await call(client, "POST", f"/me/card-setups/{setup['id']}/confirmed")).json()
    assert told["state"] == "succeeded"
    [card] = (await call(client, "GET", "/me/cards")).json()["data"]
    assert (card["id"], card["last4"], card["is_default"]) == (
        told["payment_method_id"],
        "4242",
        True,
    )


async def test_a_removed_card_is_charged_no_more_and_forgotten(
    api: RunningApi,
    engine: Engine,
    fan: User,
    creator: User,
    give_card: GiveCard,
    stripe_client: stripe.StripeClient,
) -> None:
    first, second = give_card(fan), give_card(fan, "pm_card_mastercard")
    client = api.client(fan)
    await call(client, "PUT", f"/me/cards/{second.id}/default")
    assert (await call(client, "DELETE", f"/me/cards/{second.id}")).status_code == 204
    [card] = (await call(client, "GET", "/me/cards")).json()["data"]
    assert (card["id"], card["is_default"]) == (first.id, True)
    await eventually(lambda: stripe_client.v1.payment_methods.retrieve(second.id).customer is None)
    with transaction(engine) as session:
        assert session.get_one(PaymentMethod, second.id).removed_at is not None
    await call(client, "DELETE", f"/me/cards/{first.id}")
    assert (await tip(client, creator))["code"] == "card_missing"


async def eventually(holds: Any) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.05)
