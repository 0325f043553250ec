"""Gifts over HTTP: real Temporal, real workers, a Stripe in this process."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2 as httpx
import pytest
from sqlalchemy import Engine, delete, select

from devstack.stripe import LocalStripe
from domain.accounts import Role
from infra.db import transaction
from infra.ids import new_id
from infra.models import Block, Charge, Entitlement, IdempotencyRecord, Post, Tier, User
from infra.queries.charges.revoking import revoke_for
from tests.e2e.api.buying.test_unlocks_api import call
from tests.harness.api import RunningApi
from tests.harness.posts import MakePost
from tests.harness.rows import MakeTier, MakeUser
from tests.harness.stripe import GiveCard, authenticate

pytestmark = pytest.mark.usefixtures("paying")


@pytest.fixture
def creator(make_user: MakeUser) -> User:
    return make_user(role=Role.CREATOR)


@pytest.fixture
def fan(make_user: MakeUser) -> User:
    return make_user()


@pytest.fixture
def friend(make_user: MakeUser) -> User:
    return make_user(email="friend@fansworld.example")


@pytest.fixture
def tier(creator: User, make_tier: MakeTier) -> Tier:
    return make_tier(creator)


@pytest.fixture
def post(creator: User, tier: Tier, make_post: MakePost) -> Post:
    return make_post(creator, audience="tier", tier_id=tier.id)


async def give(
    client: httpx.Client,
    creator: User,
    tier: Tier,
    recipient: User,
    *,
    key: str | None = None,
    **wish: Any,
) -> dict[str, Any]:
    answer = await call(
        client,
        "POST",
        f"/creators/{creator.handle}/gifts",
        json={"tier_id": tier.id, "recipient": recipient.handle, "note": "Enjoy!", **wish},
        headers={"idempotency-key": key or new_id()},
    )
    return {"status": answer.status_code, **answer.json()}


async def sees(client: httpx.Client, post: Post) -> bool:
    return bool((await call(client, "GET", f"/posts/{post.id}")).json()["access"]["allowed"])


async def test_a_gift_opens_the_tier_to_whom_it_is_for(
    api: RunningApi,
    fan: User,
    friend: User,
    creator: User,
    tier: Tier,
    post: Post,
    give_card: GiveCard,
) -> None:
    give_card(fan)
    given = await give(api.client(fan), creator, tier, friend)
    assert (given["state"], given["payment"]["amount_minor"]) == ("given", 500)
    assert await sees(api.client(friend), post)
    assert not await sees(api.client(fan), post)
    [received] = (await call(api.client(friend), "GET", "/me/gifts")).json()["data"]
    assert (received["giver"]["id"], received["note"]) == (fan.id, "Enjoy!")


async def test_gifts_of_one_tier_follow_each_other(
    api: RunningApi, fan: User, friend: User, creator: User, tier: Tier, give_card: GiveCard
) -> None:
    give_card(fan)
    client = api.client(fan)
    await give(client, creator, tier, friend)
    await give(client, creator, tier, friend)
    later, first = (await call(api.client(friend), "GET", "/me/gifts")).json()["data"]
    assert later["starts_at"] == first["expires_at"]


async def test_the_same_key_is_the_same_gift(
    api: RunningApi,
    engine: Engine,
    fan: User,
    friend: User,
    creator: User,
    tier: Tier,
    give_card: GiveCard,
) -> None:
    give_card(fan)
    client, key = api.client(fan), new_id()
    first = await give(client, creator, tier, friend, key=key)
    with transaction(engine) as session:
        session.execute(delete(IdempotencyRecord))
    assert (await give(client, creator, tier, friend, key=key))["id"] == first["id"]
    with transaction(engine) as session:
        assert len(session.scalars(select(Charge)).all()) == 1


async def test_the_same_key_for_somebody_or_something_else_is_refused(
    api: RunningApi,
    engine: Engine,
    fan: User,
    friend: User,
    creator: User,
    tier: Tier,
    make_user: MakeUser,
    make_tier: MakeTier,
    give_card: GiveCard,
) -> None:
    give_card(fan)
    client, key = api.client(fan), new_id()
    await give(client, creator, tier, friend, key=key)
    other_creator = make_user(role=Role.CREATOR)
    for wish in (
        (creator, tier, make_user()),
        (other_creator, tier, friend),
        (creator, make_tier(creator, rank=4), friend),
    ):
        with transaction(engine) as session:
            session.execute(delete(IdempotencyRecord))
        refused = await give(client, *wish, key=key)
        assert (refused["status"], refused["code"]) == (409, "idempotency_key_reused")
    given, headers = api.client(creator), {"idempotency-key": key}
    for recipient, status in ((friend, 201), (fan, 409)):
        with transaction(engine) as session:
            session.execute(delete(IdempotencyRecord))
        compliment = {"recipient": recipient.handle, "tier_id": tier.id, "days": 30}
        answer = await call(given, "POST", "/me/complimentary", json=compliment, headers=headers)
        assert answer.status_code == status, answer.text


async def test_a_declined_gift_gives_nothing(
    api: RunningApi, fan: User, friend: User, creator: User, tier: Tier, give_card: GiveCard
) -> None:
    give_card(fan, "pm_card_chargeCustomerFail")
    told = await give(api.client(fan), creator, tier, friend)
    assert (told["state"], told["payment"]["decline"]["code"]) == ("declined", "generic_decline")
    assert (await call(api.client(friend), "GET", "/me/gifts")).json()["data"] == []


async def test_a_bank_that_asks_is_answered(
    api: RunningApi,
    engine: Engine,
    local_stripe: LocalStripe,
    fan: User,
    friend: User,
    creator: User,
    tier: Tier,
    post: Post,
    give_card: GiveCard,
) -> None:
    give_card(fan, "pm_card_authenticationRequired")
    client = api.client(fan)
    asked = await give(client, creator, tier, friend)
    assert asked["state"] == "requires_action" and asked["payment"]["client_secret"]
    with transaction(engine) as session:
        charge = session.scalars(select(Charge)).one()
    authenticate(local_stripe, charge, succeeds=True)
    told = (await call(client, "POST", f"/gifts/{asked['id']}/confirmed")).json()
    assert told["state"] == "given" and await sees(api.client(friend), post)


async def test_money_that_goes_back_takes_the_gift_with_it(
    api: RunningApi,
    engine: Engine,
    fan: User,
    friend: User,
    creator: User,
    tier: Tier,
    post: Post,
    give_card: GiveCard,
) -> None:
    give_card(fan)
    given = await give(api.client(fan), creator, tier, friend)
    with transaction(engine) as session:
        charge = session.scalars(select(Charge).with_for_update()).one()
        revoke_for(session, charge, at=datetime.now(UTC), why="refunded")
    assert not await sees(api.client(friend), post)
    told = (await call(api.client(fan), "GET", f"/gifts/{given['id']}")).json()
    assert told["state"] == "taken_back"


@pytest.mark.parametrize("who", ["giver", "creator", "nobody", "blocked"])
async def test_whom_nothing_can_be_given(
    api: RunningApi,
    engine: Engine,
    fan: User,
    friend: User,
    creator: User,
    tier: Tier,
    give_card: GiveCard,
    who: str,
) -> None:
    give_card(fan)
    recipient = {"giver": fan, "creator": creator}.get(who, friend)
    if who == "nobody":
        recipient = User(handle="nobody-at-all")
    if who == "blocked":
        with transaction(engine) as session:
            session.add(Block(blocker_id=friend.id, blocked_id=fan.id))
    told = await give(api.client(fan), creator, tier, recipient)
    code = "gift_to_oneself" if who in ("giver", "creator") else "recipient_unknown"
    assert told["code"] == code


async def test_a_creator_gives_days_for_nothing_and_takes_them_back(
    api: RunningApi, engine: Engine, friend: User, creator: User, tier: Tier, post: Post
) -> None:
    client, key = api.client(creator), new_id()
    wish = {"recipient": friend.handle, "tier_id": tier.id, "days": 30}
    headers = {"idempotency-key": key}
    given = await call(client, "POST", "/me/complimentary", json=wish, headers=headers)
    assert (given.status_code, given.json()["state"]) == (201, "given")
    assert await sees(api.client(friend), post)
    with transaction(engine) as session:
        session.execute(delete(IdempotencyRecord))
        right = session.scalars(select(Entitlement)).one()
    assert right.expires_at is not None and right.expires_at - right.starts_at == timedelta(30)
    again = await call(client, "POST", "/me/complimentary", json=wish, headers=headers)
    assert again.json()["id"] == given.json()["id"]
    [listed] = (await call(client, "GET", "/me/complimentary")).json()["data"]
    assert listed["recipient"]["id"] == friend.id
    path = f"/me/complimentary/{given.json()['id']}"
    assert (await call(api.client(friend), "DELETE", path)).status_code == 404
    for _ in range(2):
        assert (await call(client, "DELETE", path)).status_code == 204
    assert not await sees(api.client(friend), post)


async def test_nobody_gives_what_is_another_creators(
    api: RunningApi, make_user: MakeUser, friend: User, tier: Tier
) -> None:
    wish = {"recipient": friend.handle, "tier_id": tier.id, "days": 30}
    client = api.client(make_user(role=Role.CREATOR))
    headers = {"idempotency-key": new_id()}
    answer = await call(client, "POST", "/me/complimentary", json=wish, headers=headers)
    assert answer.json()["code"] == "tier_unknown"
