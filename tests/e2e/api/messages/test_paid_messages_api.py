"""Paid messages: locked until they are bought, through real Temporal and a Stripe in this
process."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2 as httpx
import pytest
import stripe
from sqlalchemy import Engine, select

from devstack.stripe import LocalStripe
from domain.accounts import Role
from infra.db import transaction
from infra.ids import new_id
from infra.models import Charge, Entitlement, Media, Message, Unlock, User
from infra.queries import ledger
from tests.e2e.api.published import Publisher
from tests.harness.api import RunningApi
from tests.harness.messages import write_message
from tests.harness.posts import FollowCreator
from tests.harness.rows import Entitle, MakeUser
from tests.harness.stripe import GiveCard, authenticate

pytestmark = pytest.mark.usefixtures("paying")

PRICE = {"price_minor": 999, "currency": "USD"}
TEXT = "Only for you"


@pytest.fixture
def seller(make_user: MakeUser) -> User:
    return make_user(role=Role.CREATOR)


@pytest.fixture
def fan(make_user: MakeUser, seller: User, follow: FollowCreator) -> User:
    fan = make_user()
    follow(fan, seller)
    return fan


@pytest.fixture
def photo(seller: User, publish: Publisher) -> Media:
    return publish.image(seller, visibility="gated", title="A secret beach")


@pytest.fixture
def message(engine: Engine, seller: User, fan: User, photo: Media) -> Message:
    return write_message(engine, seller, fan, media=[photo], body=TEXT, **PRICE)


async def call(client: httpx.Client, method: str, path: str, **options: Any) -> httpx.Response:
    return await asyncio.to_thread(client.request, method, f"/api/v1{path}", **options)


async def buy(client: httpx.Client, message: Message, **changes: Any) -> httpx.Response:
    return await call(
        client,
        "POST",
        f"/messages/{message.id}/unlock",
        json={**PRICE, **changes},
        headers={"idempotency-key": new_id()},
    )


async def shown(client: httpx.Client, message: Message) -> dict[str, Any]:
    page = await call(client, "GET", f"/conversations/{message.conversation_id}/messages")
    [found] = page.json()["data"]
    return dict(found)


def charge_of(engine: Engine, unlock_id: str) -> Charge:
    with transaction(engine) as session:
        return session.scalars(select(Charge).where(Charge.subject_id == unlock_id)).one()


async def test_a_card_opens_a_message_and_its_media_and_the_creator_earns(
    api: RunningApi,
    engine: Engine,
    fan: User,
    seller: User,
    message: Message,
    photo: Media,
    give_card: GiveCard,
) -> None:
    give_card(fan)
    client = api.client(fan)
    locked = await shown(client, message)
    [offer] = locked["access"]["offers"]
    assert (offer["kind"], offer["message_id"], offer["price_minor"]) == ("unlock", message.id, 999)
    assert (await call(client, "GET", f"/media/{photo.id}")).json()["access"]["allowed"] is False
    answer = await buy(client, message)
    assert answer.status_code == 200, answer.text
    bought = answer.json()
    assert (bought["state"], bought["message_id"], bought["post_id"]) == (
        "unlocked",
        message.id,
        None,
    )
    opened = await shown(client, message)
    assert (opened["access"]["reason"], opened["body"]) == ("entitled", TEXT)
    assert opened["media"][0]["renditions"]
    assert (await call(client, "GET", f"/media/{photo.id}")).json()["access"]["allowed"] is True
    told = await call(client, "GET", f"/unlocks/{bought['id']}")
    assert told.json() == bought
    with transaction(engine) as session:
        assert ledger.verify(session) == []
        [balances] = ledger.balances_of(session, seller.id)
    assert (balances.currency, balances.pending_minor) == ("USD", 999 - 200)
    assert (await buy(client, message)).json()["id"] == bought["id"]


async def test_no_answer_of_a_locked_message_tells_what_is_in_it(
    api: RunningApi,
    fan: User,
    seller: User,
    message: Message,
    photo: Media,
    give_card: GiveCard,
    entitle: Entitle,
) -> None:
    entitle(fan, creator_id=seller.id, source="subscription")  # Which opens no message.
    give_card(fan, "pm_card_authenticationRequired")
    client = api.client(fan)
    path = f"/conversations/{message.conversation_id}/messages"
    answers = [
        await call(client, "GET", path),
        await call(client, "GET", "/me/conversations"),
        await buy(client, message, price_minor=1),
        await buy(client, message),
        await call(client, "GET", path),
        await call(client, "GET", "/me/payments"),
    ]
    for answer in answers:
        for secret in (TEXT, photo.id, "X-Amz-Signature", photo.title, photo.file_name):
            assert secret is not None
            assert secret not in answer.text, answer.text
    locked = await shown(client, message)
    assert (locked["body"], locked["media"], locked["media_count"]) == (None, [], 1)
    by_itself = await call(client, "GET", f"/media/{photo.id}")
    assert "A secret beach" not in by_itself.text
    assert "X-Amz-Signature" not in by_itself.text
    playback = await call(client, "POST", f"/media/{photo.id}/playback")
    assert playback.status_code == 402


async def test_nobody_but_its_receiver_knows_of_it(
    api: RunningApi,
    make_user: MakeUser,
    seller: User,
    message: Message,
    photo: Media,
    entitle: Entitle,
    give_card: GiveCard,
) -> None:
    subscriber = make_user()
    entitle(subscriber, creator_id=seller.id, source="subscription")
    give_card(subscriber)
    for client in (api.client(subscriber), api.client(make_user(role=Role.MODERATOR))):
        path = f"/conversations/{message.conversation_id}/messages"
        assert (await call(client, "GET", path)).status_code == 404
        assert (await buy(client, message)).status_code == 404
    assert (await call(api.client(subscriber), "GET", f"/media/{photo.id}")).status_code == 404


async def test_two_devices_share_one_purchase(
    api: RunningApi,
    fan: User,
    message: Message,
    give_card: GiveCard,
    stripe_client: stripe.StripeClient,
) -> None:
    give_card(fan)
    answers = await asyncio.gather(*(buy(api.client(fan), message) for _ in range(6)))
    assert {answer.json()["state"] for answer in answers} == {"unlocked"}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(stripe_client.v1.payment_intents.list().data) == 1


async def test_the_bank_wants_its_holder(
    api: RunningApi,
    engine: Engine,
    fan: User,
    message: Message,
    give_card: GiveCard,
    local_stripe: LocalStripe,
) -> None:
    give_card(fan, "pm_card_authenticationRequired")
    client = api.client(fan)
    waiting = (await buy(client, message)).json()
    assert waiting["state"] == "requires_action"
    authenticate(local_stripe, charge_of(engine, waiting["id"]), succeeds=True)
    told = await call(client, "POST", f"/unlocks/{waiting['id']}/confirmed")
    assert told.json()["state"] == "unlocked"
    assert (await shown(client, message))["body"] == TEXT


async def test_a_message_that_is_deleted_before_it_is_opened_is_paid_back(
    api: RunningApi,
    engine: Engine,
    fan: User,
    seller: User,
    message: Message,
    give_card: GiveCard,
    local_stripe: LocalStripe,
) -> None:
    give_card(fan, "pm_card_authenticationRequired")
    client = api.client(fan)
    waiting = (await buy(client, message)).json()
    gone = await call(api.client(seller), "DELETE", f"/messages/{message.id}")
    assert gone.status_code == 204
    authenticate(local_stripe, charge_of(engine, waiting["id"]), succeeds=True)
    told = await call(client, "POST", f"/unlocks/{waiting['id']}/confirmed")
    assert told.json()["state"] == "refunding"
    with transaction(engine) as session:
        assert session.scalars(select(Entitlement)).all() == []


async def test_what_is_free_or_ones_own_is_not_for_sale(
    api: RunningApi, engine: Engine, fan: User, seller: User, message: Message
) -> None:
    free = write_message(engine, seller, fan)
    for person, each in ((fan, free), (seller, message)):
        answer = await buy(api.client(person), each)
        assert (answer.status_code, answer.json()["code"]) == (409, "open_already")
    keyless = await call(api.client(fan), "POST", f"/messages/{message.id}/unlock", json=PRICE)
    assert keyless.json()["code"] == "idempotency_key_missing"
    with transaction(engine) as session:
        assert session.scalars(select(Unlock)).all() == []
