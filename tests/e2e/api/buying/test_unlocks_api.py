"""Buying posts: real Temporal, real workers, a Stripe in this process."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2 as httpx
import pytest
import stripe
from sqlalchemy import Engine, select

from devstack.stripe import LocalStripe
from domain.accounts import Role
from domain.ids import unlock_workflow_id
from infra.db import transaction
from infra.ids import new_id
from infra.models import Charge, Creator, Entitlement, Post, Unlock, User
from infra.queries import ledger
from tests.harness.api import RunningApi
from tests.harness.posts import MakePost
from tests.harness.rows import Entitle, MakeUser
from tests.harness.stripe import GiveCard, authenticate

pytestmark = pytest.mark.usefixtures("paying")

PRICE = {"price_minor": 999, "currency": "USD"}


@pytest.fixture
def seller(make_user: MakeUser) -> User:
    return make_user(role=Role.CREATOR)


@pytest.fixture
def post(seller: User, make_post: MakePost) -> Post:
    return make_post(seller, audience="paid", price_minor=999, currency="USD")


@pytest.fixture
def fan(make_user: MakeUser) -> User:
    return make_user()


async def buy(
    client: httpx.Client, post: Post, *, key: str | None = None, **changes: Any
) -> httpx.Response:
    return await asyncio.to_thread(
        client.post,
        f"/api/v1/posts/{post.id}/unlock",
        json={**PRICE, **changes},
        headers={"idempotency-key": key or new_id()},
    )


async def call(client: httpx.Client, method: str, path: str, **options: Any) -> httpx.Response:
    return await asyncio.to_thread(client.request, method, f"/api/v1{path}", **options)


def charge_of(engine: Engine, unlock_id: str) -> Charge:
    with transaction(engine) as session:
        return session.scalars(select(Charge).where(Charge.subject_id == unlock_id)).one()


async def test_a_card_opens_a_post_and_the_creator_earns(
    api: RunningApi, engine: Engine, fan: User, seller: User, post: Post, give_card: GiveCard
) -> None:
    give_card(fan)
    client = api.client(fan)
    locked = await call(client, "GET", f"/posts/{post.id}")
    assert locked.json()["access"]["allowed"] is False
    answer = await buy(client, post)
    assert answer.status_code == 200, answer.text
    bought = answer.json()
    assert bought["state"] == "unlocked"
    assert bought["payment"]["amount_minor"] == 999
    opened = await call(client, "GET", f"/posts/{post.id}")
    assert opened.json()["access"]["allowed"] is True
    with transaction(engine) as session:
        assert ledger.verify(session) == []
        [balances] = ledger.balances_of(session, seller.id)
    assert (balances.currency, balances.pending_minor) == ("USD", 999 - 200)
    again = await buy(client, post)
    assert again.json()["id"] == bought["id"]


async def test_subscribers_pay_less(
    api: RunningApi,
    engine: Engine,
    fan: User,
    seller: User,
    post: Post,
    give_card: GiveCard,
    entitle: Entitle,
) -> None:
    with transaction(engine) as session:
        session.get_one(Creator, seller.id).subscriber_discount_bps = 2_000
    entitle(fan, creator_id=seller.id, source="subscription")
    give_card(fan)
    client = api.client(fan)
    locked = await call(client, "GET", f"/posts/{post.id}")
    [offer] = locked.json()["access"]["offers"]
    assert (offer["price_minor"], offer["list_minor"]) == (799, 999)
    refused = await buy(client, post)
    assert refused.json()["code"] == "price_changed"
    bought = (await buy(client, post, price_minor=799)).json()
    assert (bought["list_minor"], bought["discount_minor"]) == (999, 200)
    assert bought["payment"]["amount_minor"] == 799


async def test_a_repeated_request_is_answered_as_the_first(
    api: RunningApi, fan: User, post: Post, give_card: GiveCard, stripe_client: stripe.StripeClient
) -> None:
    give_card(fan)
    client, key = api.client(fan), new_id()
    first, second = await buy(client, post, key=key), await buy(client, post, key=key)
    assert second.json() == first.json()
    assert second.headers["idempotency-replayed"] == "true"
    assert len(stripe_client.v1.payment_intents.list().data) == 1


async def test_two_devices_share_one_purchase(
    api: RunningApi, fan: User, post: Post, give_card: GiveCard, stripe_client: stripe.StripeClient
) -> None:
    give_card(fan)
    devices = [api.client(fan) for _ in range(6)]
    answers = await asyncio.gather(*(buy(device, post) for device in devices))
    assert {answer.json()["state"] for answer in answers} == {"unlocked"}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(stripe_client.v1.payment_intents.list().data) == 1


async def test_the_bank_wants_its_holder(
    api: RunningApi,
    engine: Engine,
    fan: User,
    post: Post,
    give_card: GiveCard,
    local_stripe: LocalStripe,
) -> None:
    give_card(fan, "pm_card_authenticationRequired")
    client = api.client(fan)
    waiting = (await buy(client, post)).json()
    assert waiting["state"] == "requires_action"
    assert waiting["payment"]["client_secret"].startswith("pi_")
    assert waiting["payment"]["expires_at"] is not None
    other_device = (await buy(api.client(fan), post)).json()
    assert other_device["id"] == waiting["id"]
    assert other_device["payment"]["client_secret"] == waiting["payment"]["client_secret"]
    authenticate(local_stripe, charge_of(engine, waiting["id"]), succeeds=True)
    told = await call(client, "POST", f"/unlocks/{waiting['id']}/confirmed")
    assert told.json()["state"] == "unlocked"
    assert told.json()["payment"]["client_secret"] is None


async def test_after_a_decline_another_card_pays(
    api: RunningApi, fan: User, post: Post, give_card: GiveCard
) -> None:
    give_card(fan, "pm_card_chargeCustomerFail")
    client = api.client(fan)
    declined = (await buy(client, post)).json()
    assert declined["state"] == "declined"
    assert declined["payment"]["decline"]["message"]
    good = give_card(fan)
    bought = (await buy(client, post, payment_method_id=good.id)).json()
    assert (bought["id"], bought["state"]) == (declined["id"], "unlocked")
    assert bought["payment"]["decline"] is None


async def test_a_price_that_changed_takes_nothing(
    api: RunningApi, engine: Engine, fan: User, post: Post, give_card: GiveCard
) -> None:
    give_card(fan)
    with transaction(engine) as session:
        session.get_one(Post, post.id).price_minor = 1299
    answer = await buy(api.client(fan), post)
    assert answer.status_code == 409
    problem = answer.json()
    assert (problem["code"], problem["facts"]["price_minor"]) == ("price_changed", 1299)
    with transaction(engine) as session:
        assert session.scalars(select(Unlock)).all() == []


async def test_a_post_that_is_gone_before_it_is_paid_is_not_sold(
    api: RunningApi,
    engine: Engine,
    fan: User,
    post: Post,
    give_card: GiveCard,
    local_stripe: LocalStripe,
) -> None:
    give_card(fan, "pm_card_authenticationRequired")
    client = api.client(fan)
    waiting = (await buy(client, post)).json()
    with transaction(engine) as session:
        session.get_one(Post, post.id).state = "deleted"
    authenticate(local_stripe, charge_of(engine, waiting["id"]), succeeds=True)
    told = await call(client, "POST", f"/unlocks/{waiting['id']}/confirmed")
    assert told.json()["state"] == "refunding"
    with transaction(engine) as session:
        assert session.scalars(select(Entitlement)).all() == []


async def test_without_a_card_and_without_a_key_nothing_begins(
    api: RunningApi, engine: Engine, fan: User, post: Post
) -> None:
    client = api.client(fan)
    assert (await buy(client, post)).json()["code"] == "card_missing"
    keyless = await call(client, "POST", f"/posts/{post.id}/unlock", json=PRICE)
    assert (keyless.status_code, keyless.json()["code"]) == (400, "idempotency_key_missing")
    with transaction(engine) as session:
        assert session.scalars(select(Unlock)).all() == []


async def test_a_card_of_somebody_else_is_none(
    api: RunningApi, fan: User, post: Post, make_user: MakeUser, give_card: GiveCard
) -> None:
    foreign = give_card(make_user())
    answer = await buy(api.client(fan), post, payment_method_id=foreign.id)
    assert answer.json()["code"] == "card_missing"


async def test_who_tries_one_card_after_the_other_is_stopped(
    api: RunningApi, fan: User, post: Post, give_card: GiveCard
) -> None:
    give_card(fan, "pm_card_chargeCustomerFail")
    client = api.client(fan)
    for _ in range(10):
        assert (await buy(client, post)).json()["state"] == "declined"
    stopped = await buy(client, post)
    assert stopped.status_code == 429
    assert int(stopped.headers["retry-after"]) > 3600


def test_ids_of_runs_are_of_fan_and_item() -> None:
    assert unlock_workflow_id("fan", "post") == "unlock:fan:post"
