"""Creators write what they sell; others see it, and what it would cost them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2 as httpx
import pytest
from sqlalchemy import Engine, select

from domain.accounts import Role
from infra.db import transaction
from infra.models import AuditEntry, Creator, Tier, User
from tests.e2e.api.people import CREATORS, Json, block_row, edit, refused
from tests.harness.api import RunningApi
from tests.harness.posts import MakePost
from tests.harness.rows import Entitle, MakePromo, MakeTier, MakeUser

TIERS, CODES = "/api/v1/me/tiers", "/api/v1/me/promo-codes"
SETTINGS = f"{CREATORS}/me/settings"
GOLD = {"name": "Gold", "price_minor": 1500, "benefits": ["All posts", "A postcard"]}
HALF = {"code": "half", "kind": "percent", "value": 5000, "duration": "months", "months": 3}


@pytest.fixture
def creator(make_user: MakeUser) -> User:
    return make_user(role=Role.CREATOR, handle="mia")


@pytest.fixture
def client(api: RunningApi, creator: User) -> httpx.Client:
    return api.client(creator)


def made(client: httpx.Client, **changes: Any) -> Json:
    answer = client.post(TIERS, json=GOLD | changes)
    assert answer.status_code == 201, answer.text
    body: Json = answer.json()
    assert answer.headers["location"] == f"{TIERS}/{body['id']}"
    return body


def patch(client: httpx.Client, path: str, **changes: Any) -> httpx.Response:
    etag = client.get(path).headers["etag"]
    return client.patch(path, json=changes, headers={"if-match": etag})


def shop(client: httpx.Client, handle: str = "mia") -> list[Json]:
    data: list[Json] = client.get(f"{CREATORS}/{handle}/tiers").json()["data"]
    return data


def ask(client: httpx.Client, tier: Json, **wish: Any) -> httpx.Response:
    return client.post(f"{CREATORS}/mia/quote", json={"tier_id": tier["id"], **wish})


# --- tiers -----------------------------------------------------------------------------------


def test_a_tier_that_is_made_is_for_sale_above_all_others(
    api: RunningApi, client: httpx.Client
) -> None:
    first, second = made(client), made(client, name="Platinum", trial_days=7)
    assert (first["rank"], second["rank"]) == (1, 2)
    assert (first["currency"], first["subscriber_count"]) == ("USD", 0)
    assert first["price_effective_at"] == first["created_at"]
    listed = shop(api.client())
    assert [each["name"] for each in listed] == ["Gold", "Platinum"]
    assert listed[0] == {
        "id": first["id"],
        "name": "Gold",
        "description": "",
        "benefits": ["All posts", "A postcard"],
        "rank": 1,
        "price_minor": 1500,
        "currency": "USD",
        "trial_days": 0,
        "bundles": [],
        "is_full": False,
    }
    newest_first = client.get(TIERS, params={"limit": 1}).json()
    assert [each["id"] for each in newest_first["data"]] == [second["id"]]
    rest = client.get(TIERS, params={"cursor": newest_first["next_cursor"]}).json()
    assert [each["id"] for each in rest["data"]] == [first["id"]]
    assert rest["has_more"] is False


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"price_minor": 299}, "price_out_of_bounds"),
        ({"price_minor": 50_001}, "price_out_of_bounds"),
        ({"price_minor": 0, "trial_days": 7}, "trial_unfit"),
        ({"trial_days": 31}, "invalid_request"),
        ({"name": " "}, "invalid_request"),
        ({"benefits": ["x"] * 21}, "invalid_request"),
        ({"currency": "EUR"}, "invalid_request"),
        ({"subscriber_cap": 0}, "invalid_request"),
    ],
)
def test_what_breaks_a_rule_is_not_sold(client: httpx.Client, changes: Json, code: str) -> None:
    refused(client.post(TIERS, json=GOLD | changes), 422, code)
    assert shop(client) == []


def test_there_are_up_to_ten_at_a_time_also_if_they_come_at_once(client: httpx.Client) -> None:
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: client.post(TIERS, json=GOLD), range(13)))
    assert sorted(each.status_code for each in answers) == [201] * 10 + [409] * 3
    assert [each["rank"] for each in shop(client)] == list(range(1, 11))
    client.delete(f"{TIERS}/{answers[0].json().get('id') or shop(client)[0]['id']}")
    assert client.post(TIERS, json=GOLD).status_code == 201


def test_a_free_tier_costs_nothing_ever(client: httpx.Client) -> None:
    free = made(client, price_minor=0)
    body = ask(client, free).json()
    assert (body["due_now_minor"], body["first_charge_at"]) == (0, None)
    bundle = client.put(f"{TIERS}/{free['id']}/bundles/3", json={"discount_bps": 1000})
    refused(bundle, 422, "bundle_unfit")


def test_a_rise_counts_later_for_subscribers_and_a_fall_at_once(
    client: httpx.Client, engine: Engine
) -> None:
    tier = made(client)
    path = f"{TIERS}/{tier['id']}"
    before = datetime.now(UTC)
    risen = patch(client, path, price_minor=1900).json()
    effective = datetime.fromisoformat(risen["price_effective_at"])
    assert effective >= before + timedelta(days=30)
    assert shop(client)[0]["price_minor"] == 1900
    fallen = patch(client, path, price_minor=1400).json()
    assert fallen["price_effective_at"] == fallen["updated_at"]
    with transaction(engine) as session:
        wanted = select(AuditEntry.detail).where(AuditEntry.action == "tier.price_changed")
        details = session.scalars(wanted.order_by(AuditEntry.id)).all()
    assert [(each["from_minor"], each["to_minor"]) for each in details] == [
        (1500, 1900),
        (1900, 1400),
    ]


def test_an_edit_needs_the_etag_that_was_read(client: httpx.Client) -> None:
    path = f"{TIERS}/{made(client)['id']}"
    refused(client.patch(path, json={"name": "X"}), 428, "precondition_required")
    old = client.get(path).headers["etag"]
    assert patch(client, path, name="Silver").json()["name"] == "Silver"
    late = client.patch(path, json={"name": "X"}, headers={"if-match": old})
    refused(late, 412, "precondition_failed")


def test_a_hidden_tier_is_not_listed_and_can_be_had(client: httpx.Client) -> None:
    tier = made(client, is_visible=False)
    assert shop(client) == []
    assert ask(client, tier).status_code == 200


def test_an_archived_tier_is_over_for_new_fans_and_stays_in_ones_own_list(
    client: httpx.Client, engine: Engine
) -> None:
    tier = made(client)
    path = f"{TIERS}/{tier['id']}"
    assert client.delete(path).status_code == 204
    refused(client.delete(path), 409, "tier_archived")
    refused(patch(client, path, name="X"), 409, "tier_archived")
    refused(ask(client, tier), 404, "tier_not_found")
    assert shop(client) == client.get(TIERS).json()["data"] == []
    [shown] = client.get(TIERS, params={"archived": True}).json()["data"]
    assert shown["id"] == tier["id"] and shown["archived_at"] is not None
    with transaction(engine) as session:
        wanted = select(AuditEntry.subject_id).where(AuditEntry.action == "tier.archived")
        assert session.scalars(wanted).all() == [tier["id"]]


def test_subscribers_of_an_archived_tier_see_what_they_saw(
    api: RunningApi,
    client: httpx.Client,
    creator: User,
    make_user: MakeUser,
    make_post: MakePost,
    make_tier: MakeTier,
    entitle: Entitle,
) -> None:
    low, high = make_tier(creator, rank=1), make_tier(creator, rank=2)
    post = make_post(creator, audience="tier", tier_id=low.id)
    fan = make_user()
    entitle(fan, creator_id=creator.id, tier_id=low.id, source="subscription")
    assert client.delete(f"{TIERS}/{low.id}").status_code == 204
    shown = api.client(fan).get(f"/api/v1/posts/{post.id}").json()
    assert shown["access"]["allowed"] is True
    refused(client.delete(f"{TIERS}/{high.id}"), 409, "tier_needed")


def test_a_new_order_of_tiers_counts_for_posts_at_once(
    api: RunningApi,
    client: httpx.Client,
    creator: User,
    make_user: MakeUser,
    make_post: MakePost,
    make_tier: MakeTier,
    entitle: Entitle,
) -> None:
    low, high = make_tier(creator, rank=1), make_tier(creator, rank=2)
    post = make_post(creator, audience="tier", tier_id=high.id)
    fan = make_user()
    entitle(fan, creator_id=creator.id, tier_id=low.id, source="subscription")
    path = f"/api/v1/posts/{post.id}"
    assert api.client(fan).get(path).json()["access"]["allowed"] is False
    ordered = client.put(f"{TIERS}/order", json={"tier_ids": [high.id, low.id]})
    assert ordered.status_code == 204
    assert api.client(fan).get(path).json()["access"]["allowed"] is True
    refused(client.put(f"{TIERS}/order", json={"tier_ids": [low.id]}), 409, "tiers_changed")


def test_bundles_are_cheaper_by_the_month(client: httpx.Client) -> None:
    tier = made(client, price_minor=1000)
    path = f"{TIERS}/{tier['id']}/bundles"
    for months, bps in (("12", 3000), ("3", 1000), ("12", 2500)):
        assert client.put(f"{path}/{months}", json={"discount_bps": bps}).status_code == 200
    assert shop(client)[0]["bundles"] == [
        {"months": 3, "discount_bps": 1000, "total_minor": 2700},
        {"months": 12, "discount_bps": 2500, "total_minor": 9000},
    ]
    for _ in range(2):
        assert client.delete(f"{path}/3").status_code == 204
    refused(ask(client, tier, months=3), 422, "bundle_unknown")
    refused(client.put(f"{path}/4", json={"discount_bps": 900}), 422, "invalid_request")
    refused(client.put(f"{path}/6", json={"discount_bps": 5001}), 422, "invalid_request")


def test_who_may_not_know_of_a_creator_sees_no_tiers(
    api: RunningApi, client: httpx.Client, creator: User, make_user: MakeUser, engine: Engine
) -> None:
    tier, fan = made(client), make_user()
    block_row(engine, creator, fan)
    there = api.client(fan)
    for answer in (
        there.get(f"{CREATORS}/mia/tiers"),
        there.post(f"{CREATORS}/mia/quote", json={"tier_id": tier["id"]}),
        there.get(f"{CREATORS}/nobody/tiers"),
    ):
        refused(answer, 404, "creator_not_found")


# --- promo codes and quotes ------------------------------------------------------------------


def coded(client: httpx.Client, **changes: Any) -> Json:
    answer = client.post(CODES, json=HALF | changes)
    assert answer.status_code == 201, answer.text
    body: Json = answer.json()
    return body


def test_a_quote_says_what_it_costs_now_and_later(
    api: RunningApi, client: httpx.Client, make_user: MakeUser
) -> None:
    tier = made(client, price_minor=1000, trial_days=7)
    assert coded(client)["code"] == "HALF"
    body = ask(api.client(make_user()), tier, code="Half").json()
    first_at = datetime.fromisoformat(body.pop("first_charge_at"))
    assert timedelta(days=6) < first_at - datetime.now(UTC) < timedelta(days=8)
    until = body["promo"].pop("counts_until")
    assert datetime.fromisoformat(until) > first_at + timedelta(days=88)
    price = {"list_minor": 1000, "bundle_discount_minor": 0, "tax_minor": None}
    assert body == {
        "tier_id": tier["id"],
        "currency": "USD",
        "months": 1,
        "trial_days": 7,
        "first": {**price, "promo_discount_minor": 500, "total_minor": 500},
        "renewal": {**price, "promo_discount_minor": 500, "total_minor": 500},
        "regular": {**price, "promo_discount_minor": 0, "total_minor": 1000},
        "due_now_minor": 0,
        "promo": {
            "code": "HALF",
            "kind": "percent",
            "value": 5000,
            "duration": "months",
            "months": 3,
        },
    }


def test_a_code_that_does_not_count_says_why(
    client: httpx.Client, creator: User, make_promo: MakePromo
) -> None:
    tier, other = made(client), made(client)
    now = datetime.now(UTC)
    hour = timedelta(hours=1)
    for columns, code in (
        ({"expires_at": now - hour}, "promo_expired"),
        ({"starts_at": now + hour}, "promo_not_started"),
        ({"tier_id": other["id"]}, "promo_wrong_tier"),
        ({"audience": "former"}, "promo_former_fans_only"),
        ({"max_redemptions": 1, "redeemed_count": 1}, "promo_used_up"),
    ):
        promo = make_promo(creator, **columns)
        refused(ask(client, tier, code=promo.code), 422, code)
    refused(ask(client, tier, code="NEVER-WAS"), 422, "promo_unknown")


def test_codes_are_one_of_a_kind_until_they_are_archived(client: httpx.Client) -> None:
    first = coded(client)
    refused(client.post(CODES, json=HALF | {"code": "HALF"}), 409, "promo_code_taken")
    assert client.delete(f"{CODES}/{first['id']}").status_code == 204
    refused(client.delete(f"{CODES}/{first['id']}"), 409, "promo_archived")
    second = coded(client)
    assert [each["id"] for each in client.get(CODES).json()["data"]] == [second["id"]]
    [archived] = client.get(CODES, params={"archived": True}).json()["data"]
    assert archived["id"] == first["id"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"value": 10_001}, "promo_value_out_of_bounds"),
        ({"kind": "trial", "value": 7}, "promo_duration_unfit"),
        ({"months": None}, "promo_months_unfit"),
        ({"code": "no spaces"}, "invalid_request"),
        ({"tier_id": "0192f0c1-e3f8-7b0d-9a4f-5f5d8e1c2b3a"}, "tier_unknown"),
        (
            {"starts_at": "2030-01-02T00:00:00Z", "expires_at": "2030-01-01T00:00:00Z"},
            "promo_expires_unfit",
        ),
    ],
)
def test_codes_whose_parts_do_not_fit_are_refused(
    client: httpx.Client, changes: Json, code: str
) -> None:
    refused(client.post(CODES, json=HALF | changes), 422, code)


def test_a_code_is_changed_within_what_was_redeemed(
    client: httpx.Client, creator: User, make_promo: MakePromo
) -> None:
    promo = make_promo(creator, redeemed_count=2)
    path = f"{CODES}/{promo.id}"
    refused(patch(client, path, max_redemptions=1), 409, "promo_cap_passed")
    assert patch(client, path, max_redemptions=2).json()["max_redemptions"] == 2
    refused(patch(client, path, value=1), 422, "invalid_request")


# --- settings --------------------------------------------------------------------------------


def test_money_settings_are_in_the_creators_currency(
    client: httpx.Client, creator: User, engine: Engine
) -> None:
    given = {"currency": "EUR", "subscriber_discount_bps": 1500, "tip_minimum_minor": 300}
    shown = edit(client, SETTINGS, **given).json()
    assert {name: shown[name] for name in given} == given
    assert made(client)["currency"] == "EUR"
    refused(edit(client, SETTINGS, currency="USD"), 409, "currency_stays")
    refused(edit(client, SETTINGS, tip_minimum_minor=1), 422, "tip_minimum_out_of_bounds")
    refused(edit(client, SETTINGS, subscriber_discount_bps=9001), 422, "invalid_request")
    assert edit(client, SETTINGS, tip_minimum_minor=None).json()["tip_minimum_minor"] is None
    with transaction(engine) as session:
        assert session.get_one(Creator, creator.id).subscriber_discount_bps == 1500


def test_the_price_that_was_set_last_stands_in_the_row(
    client: httpx.Client, engine: Engine
) -> None:
    tier = made(client)
    patch(client, f"{TIERS}/{tier['id']}", price_minor=1900, subscriber_cap=5)
    with transaction(engine) as session:
        row = session.get_one(Tier, tier["id"])
        assert (row.price_minor, row.subscriber_cap, row.version) == (1900, 5, 2)
