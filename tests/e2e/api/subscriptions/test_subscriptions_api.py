"""Subscriptions over HTTP: real Temporal, real workers, a Stripe in this process."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2 as httpx
import pytest
from sqlalchemy import Engine, delete, select

from devstack.stripe import LocalStripe
from domain.accounts import Role
from domain.payment_methods import DECLINES_PER_DAY_MAX
from infra.db import transaction
from infra.ids import new_id
from infra.models import Charge, IdempotencyRecord, Post, Tier, User
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
def tier(creator: User, make_tier: MakeTier) -> Tier:
    return make_tier(creator)


@pytest.fixture
def post(creator: User, make_post: MakePost) -> Post:
    return make_post(creator, audience="subscribers")


async def subscribe(
    client: httpx.Client, creator: User, tier: Tier, *, key: str | None = None, **wish: Any
) -> dict[str, Any]:
    answer = await call(
        client,
        "POST",
        f"/creators/{creator.handle}/subscription",
        json={"tier_id": tier.id, **wish},
        headers={"idempotency-key": key or new_id()},
    )
    return {"status": answer.status_code, **answer.json()}


async def act(
    client: httpx.Client, subscribed: dict[str, Any], path: str, **wish: Any
) -> dict[str, Any]:
    where = f"/me/subscriptions/{subscribed['id']}/{path}"
    answer = await call(client, "POST", where, json=wish)
    return {"status": answer.status_code, **answer.json()}


async def sees(client: httpx.Client, post: Post) -> bool:
    answer = await call(client, "GET", f"/posts/{post.id}")
    return bool(answer.json()["access"]["allowed"])


async def test_who_subscribes_sees_at_once_what_subscribers_see(
    api: RunningApi, fan: User, creator: User, tier: Tier, post: Post, give_card: GiveCard
) -> None:
    give_card(fan)
    client = api.client(fan)
    assert not await sees(client, post)
    subscribed = await subscribe(client, creator, tier)
    assert (subscribed["status"], subscribed["state"]) == (201, "active")
    assert subscribed["payment"]["amount_minor"] == 500
    assert [each["kind"] for each in subscribed["events"]] == ["created", "started"]
    assert await sees(client, post)
    [mine] = (await call(client, "GET", "/me/subscriptions")).json()["data"]
    assert (mine["id"], mine["creator"]["id"]) == (subscribed["id"], creator.id)
    [theirs] = (await call(api.client(creator), "GET", "/me/subscribers")).json()["data"]
    assert (theirs["fan"]["id"], theirs["state"]) == (fan.id, "active")


async def test_the_same_key_is_the_same_subscription_and_another_one_is_refused(
    api: RunningApi, engine: Engine, fan: User, creator: User, tier: Tier, give_card: GiveCard
) -> None:
    give_card(fan)
    client, key = api.client(fan), new_id()
    first = await subscribe(client, creator, tier, key=key)
    with transaction(engine) as session:
        session.execute(delete(IdempotencyRecord))
    assert (await subscribe(client, creator, tier, key=key))["id"] == first["id"]
    other = await subscribe(client, creator, tier)
    assert (other["status"], other["code"]) == (409, "already_subscribed")
    assert other["facts"]["subscription_id"] == first["id"]


async def test_without_a_key_nothing_is_begun(
    api: RunningApi, fan: User, creator: User, tier: Tier
) -> None:
    path = f"/creators/{creator.handle}/subscription"
    answer = await call(api.client(fan), "POST", path, json={"tier_id": tier.id})
    assert answer.json()["code"] == "idempotency_key_missing"


async def test_a_declined_card_is_told_and_another_one_works(
    api: RunningApi, fan: User, creator: User, tier: Tier, post: Post, give_card: GiveCard
) -> None:
    bad = give_card(fan, "pm_card_chargeCustomerFail")
    client = api.client(fan)
    told = await subscribe(client, creator, tier, payment_method_id=bad.id)
    assert (told["state"], told["end_reason"]) == ("expired", "never_paid")
    assert told["payment"]["decline"]["code"] == "generic_decline"
    assert not await sees(client, post)
    good = give_card(fan)
    again = await subscribe(client, creator, tier, payment_method_id=good.id)
    assert again["state"] == "active"


async def test_a_bank_that_asks_is_answered_in_the_browser(
    api: RunningApi,
    engine: Engine,
    local_stripe: LocalStripe,
    fan: User,
    creator: User,
    tier: Tier,
    post: Post,
    give_card: GiveCard,
) -> None:
    give_card(fan, "pm_card_authenticationRequired")
    client = api.client(fan)
    asked = await subscribe(client, creator, tier)
    assert (asked["status"], asked["state"]) == (201, "incomplete")
    assert asked["payment"]["client_secret"] and asked["payment"]["expires_at"]
    assert not await sees(client, post)
    with transaction(engine) as session:
        charge = session.scalars(select(Charge).where(Charge.subject_id == asked["id"])).one()
    authenticate(local_stripe, charge, succeeds=True)
    told = await act(client, asked, "confirmed")
    assert (told["state"], told["payment"]["client_secret"]) == ("active", None)
    assert await sees(client, post)


async def test_cancel_resume_pause_and_change(
    api: RunningApi,
    fan: User,
    creator: User,
    tier: Tier,
    make_tier: MakeTier,
    give_card: GiveCard,
) -> None:
    give_card(fan)
    client = api.client(fan)
    subscribed = await subscribe(client, creator, tier)
    assert (await act(client, subscribed, "cancel"))["state"] == "canceling"
    assert (await act(client, subscribed, "resume"))["state"] == "active"
    late = (datetime.now(UTC) + timedelta(days=90)).isoformat()
    assert (await act(client, subscribed, "pause", resume_at=late))["resume_at"] is not None
    soon = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    refused = await act(client, subscribed, "pause", resume_at=soon)
    assert (refused["status"], refused["code"]) == (422, "resume_at_out_of_bounds")
    assert (await act(client, subscribed, "resume"))["resume_at"] is None
    top = make_tier(creator, rank=2)
    upgraded = await act(client, subscribed, "tier", tier_id=top.id)
    assert upgraded["tier_id"] == top.id and 490 <= upgraded["payment"]["amount_minor"] <= 500
    planned = await act(client, subscribed, "tier", tier_id=tier.id)
    assert (planned["tier_id"], planned["next_tier_id"]) == (top.id, tier.id)
    unknown = await act(client, subscribed, "tier", tier_id=new_id())
    assert (unknown["status"], unknown["code"]) == (404, "tier_not_found")
    other = give_card(fan, "pm_card_mastercard")
    changed = await act(client, subscribed, "card", payment_method_id=other.id)
    assert changed["payment_method_id"] == other.id
    refused = await act(client, subscribed, "consent", price_minor=900)
    assert refused["code"] == "price_differs"


async def test_cancel_now_takes_access_within_seconds(
    api: RunningApi, fan: User, creator: User, tier: Tier, post: Post, give_card: GiveCard
) -> None:
    give_card(fan)
    client = api.client(fan)
    subscribed = await subscribe(client, creator, tier)
    assert await sees(client, post)
    assert (await act(client, subscribed, "cancel", now=True))["state"] == "canceled"
    assert not await sees(client, post)
    refused = await act(client, subscribed, "resume")
    assert (refused["status"], refused["code"]) == (409, "subscription_ended")
    assert (await subscribe(client, creator, tier))["state"] == "active"


async def test_a_trial_needs_a_card_and_takes_nothing(
    api: RunningApi, fan: User, creator: User, make_tier: MakeTier, give_card: GiveCard
) -> None:
    trial = make_tier(creator, trial_days=7)
    client = api.client(fan)
    refused = await subscribe(client, creator, trial)
    assert refused["code"] == "card_missing"
    give_card(fan)
    subscribed = await subscribe(client, creator, trial)
    assert (subscribed["state"], subscribed["payment"]) == ("trialing", None)
    assert subscribed["is_trial"] is True


async def test_a_free_tier_needs_no_card(
    api: RunningApi, fan: User, creator: User, make_tier: MakeTier, post: Post
) -> None:
    free = make_tier(creator, rank=2, price_minor=0)
    client = api.client(fan)
    assert (await subscribe(client, creator, free))["state"] == "active"
    assert await sees(client, post)


async def test_a_ban_ends_subscriptions_within_seconds(
    api: RunningApi,
    fan: User,
    creator: User,
    tier: Tier,
    post: Post,
    make_user: MakeUser,
    give_card: GiveCard,
) -> None:
    give_card(fan)
    client = api.client(fan)
    subscribed = await subscribe(client, creator, tier)
    staff = api.client(make_user(role=Role.MODERATOR))
    path = f"/admin/users/{creator.id}/suspend"
    assert (await call(staff, "POST", path, json={"reason": "Rule 3."})).status_code == 200
    assert (await call(client, "GET", f"/posts/{post.id}")).status_code == 404
    async with asyncio.timeout(10):
        while True:
            where = f"/me/subscriptions/{subscribed['id']}"
            body = (await call(client, "GET", where)).json()
            if body["state"] == "canceled":
                break
            await asyncio.sleep(0.1)
    assert body["end_reason"] == "banned"


async def test_who_tries_one_card_after_the_other_is_stopped_here_too(
    api: RunningApi,
    fan: User,
    creator: User,
    tier: Tier,
    give_card: GiveCard,
    make_tier: MakeTier,
) -> None:
    give_card(fan)
    client, top = api.client(fan), make_tier(creator, rank=9, price_minor=9_000)
    subscribed = await subscribe(client, creator, tier)
    stolen = give_card(fan, "pm_card_chargeCustomerFail")
    await act(client, subscribed, "card", payment_method_id=stolen.id)
    for _ in range(DECLINES_PER_DAY_MAX):
        assert (await act(client, subscribed, "tier", tier_id=top.id))["tier_id"] == tier.id
    for path, wish in (("tier", {"tier_id": top.id}), ("card", {"payment_method_id": stolen.id})):
        refused = await act(client, subscribed, path, **wish)
        assert (refused["status"], refused["facts"]["limit"]) == (429, "declines")
    assert (await act(client, subscribed, "cancel", now=True))["state"] == "canceled"
