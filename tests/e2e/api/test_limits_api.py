"""Rate limits as a client meets them."""

from __future__ import annotations

import httpx2 as httpx
import pytest
from redis import Redis
from sqlalchemy import Engine
from starlette.requests import Request

from api.contract.limits import limit_sign_in
from api.parts import open_parts
from domain.accounts import Role
from domain.errors import RateLimited
from infra.settings import Settings
from tests.e2e.api.auth.accounts import OTHER_PASSWORD, Accounts
from tests.harness.api import StartApi
from tests.harness.rows import MakeUser

MEDIA = "/api/v1/media"
WISH = {"file_name": "a.jpg", "size_bytes": 10, "content_type": "image/jpeg"}
WITHOUT_VALKEY = {"valkey_url": "redis://127.0.0.1:1/0"}


def statuses(client: httpx.Client, times: int, **headers: str) -> list[int]:
    return [client.get(MEDIA, headers=headers).status_code for _ in range(times)]


@pytest.mark.parametrize("changes", [{}, WITHOUT_VALKEY], ids=["valkey", "without valkey"])
def test_an_account_is_limited_and_others_are_not(
    start_api: StartApi, make_user: MakeUser, changes: dict[str, str]
) -> None:
    api = start_api(rate_limit_api_per_minute=3, **changes)
    busy, other = api.client(make_user()), api.client(make_user())
    assert statuses(busy, 4) == [200, 200, 200, 429]
    assert statuses(other, 1) == [200]


def test_answers_say_what_is_left_and_refusals_when_to_come_again(
    start_api: StartApi, make_user: MakeUser
) -> None:
    client = start_api(rate_limit_api_per_minute=1).client(make_user())
    passed = client.get(MEDIA)
    assert passed.headers["ratelimit-policy"] == '"api";q=1;w=60'
    assert passed.headers["ratelimit"].startswith('"api";r=0;t=')
    refused = client.get(MEDIA)
    body = refused.json()
    assert (refused.status_code, body["code"]) == (429, "rate_limited")
    assert refused.headers["content-type"] == "application/problem+json"
    assert 1 <= int(refused.headers["retry-after"]) <= 120
    assert body["facts"]["retry_after_seconds"] == int(refused.headers["retry-after"])
    assert body["request_id"] == refused.headers["x-request-id"]
    assert refused.headers["x-content-type-options"] == "nosniff"


def test_who_is_not_signed_in_is_limited_by_address(start_api: StartApi, valkey: Redis) -> None:
    del valkey  # Asked for, because it is emptied: addresses are the same in every test.
    client = start_api(rate_limit_api_per_minute=2, trusted_proxies=("127.0.0.0/8",)).client()

    def status(forwarded: str) -> int:
        return client.get(MEDIA, headers={"x-forwarded-for": forwarded}).status_code

    assert [status("203.0.113.1") for _ in range(3)] == [401, 401, 429]
    assert status("8.8.8.8, 203.0.113.1") == 429
    assert status("203.0.113.2") == 401
    # One customer has a whole network of IPv6 addresses.
    assert [status(f"2001:db8::{number}") for number in range(3)] == [401, 401, 429]
    assert status("2001:db8:0:1::1") == 401


def test_no_proxy_is_believed_that_is_not_named(start_api: StartApi, valkey: Redis) -> None:
    del valkey
    client = start_api(rate_limit_api_per_minute=2).client()
    answers = [
        client.get(MEDIA, headers={"x-forwarded-for": f"203.0.113.{n}"}).status_code
        for n in range(3)
    ]
    assert answers == [401, 401, 429]


def test_a_token_that_does_not_count_is_limited_by_address(
    start_api: StartApi, valkey: Redis
) -> None:
    del valkey
    api = start_api(rate_limit_api_per_minute=2)
    assert [statuses(api.client(token=f"made.up.{n}"), 1) for n in range(3)] == [
        [401],
        [401],
        [429],
    ]


def test_uploads_have_a_limit_of_their_own(start_api: StartApi, make_user: MakeUser) -> None:
    client = start_api(rate_limit_uploads_per_minute=2).client(make_user(role=Role.CREATOR))
    answers = [client.post("/api/v1/uploads", json=WISH) for _ in range(3)]
    assert [each.status_code for each in answers] == [201, 201, 429]
    assert answers[2].json()["facts"]["limit"] == "uploads"
    assert '"uploads";q=2;w=60' in answers[2].headers["ratelimit-policy"]
    assert client.get(MEDIA).status_code == 200


def test_probes_documents_and_players_are_not_limited(start_api: StartApi, valkey: Redis) -> None:
    del valkey
    client = start_api(rate_limit_api_per_minute=1).client()
    item = f"{MEDIA}/01890000-0000-7000-8000-000000000001"
    for path in ("/livez", "/openapi.json", f"{item}/hls/key?token=x", f"{item}/storyboard.vtt"):
        answers = [client.get(path) for _ in range(3)]
        assert 429 not in {each.status_code for each in answers}, path
        assert "ratelimit" not in answers[0].headers


@pytest.mark.parametrize("changes", [{}, WITHOUT_VALKEY], ids=["valkey", "without valkey"])
async def test_tries_to_sign_in_are_limited_by_address_and_by_account(
    settings: Settings, valkey: Redis, changes: dict[str, str]
) -> None:
    del valkey
    limits = {"rate_limit_auth_per_15_minutes": 4} | changes
    allowed = 2 if changes else 4
    async with open_parts(settings.model_copy(update=limits)) as parts:

        async def tries(address: str, account: str, times: int) -> int:
            """How many of them were let through."""
            request = Request({"type": "http", "headers": [], "client": (address, 1)})
            for number in range(times):
                try:
                    await limit_sign_in(request, parts, account=account)
                except RateLimited as refused:
                    assert refused.retry_after_seconds > 60
                    return number
            return times

        # One account from many addresses, however it is written.
        spread = [await tries(f"192.0.2.{n}", "Ada@Example.com ", 1) for n in range(allowed)]
        assert spread == [1] * allowed
        assert await tries("192.0.2.99", "ada@example.com", 1) == 0
        # Many accounts from one address.
        guessed = [await tries("198.51.100.1", f"fan{n}@example.com", 1) for n in range(allowed)]
        assert guessed == [1] * allowed
        assert await tries("198.51.100.1", "another@example.com", 1) == 0


@pytest.mark.parametrize("changes", [{}, WITHOUT_VALKEY], ids=["valkey", "without valkey"])
async def test_strangers_can_not_use_up_the_tries_of_an_accounts_owner(
    settings: Settings, valkey: Redis, changes: dict[str, str]
) -> None:
    del valkey
    limits = {"rate_limit_auth_per_15_minutes": 4} | changes
    async with open_parts(settings.model_copy(update=limits)) as parts:

        async def let_through(address: str) -> bool:
            request = Request({"type": "http", "headers": [], "client": (address, 1)})
            try:
                await limit_sign_in(request, parts, account="ada@example.com", by_strangers=True)
            except RateLimited:
                return False
            return True

        # However often it is refused: a single address can't use up what is left to all.
        assert not all([await let_through("198.51.100.1") for _ in range(60)])
        assert await let_through("192.0.2.1"), "the owner, from elsewhere"
        everywhere = [await let_through(f"203.0.113.{n}") for n in range(45)]
        assert everywhere[10] and not everywhere[-1], "but no end of addresses helps to guess"


def test_only_wrong_passwords_count(
    start_api: StartApi, make_user: MakeUser, engine: Engine, valkey: Redis
) -> None:
    del valkey  # Asked for, because it is emptied.
    accounts = Accounts(start_api(rate_limit_auth_per_15_minutes=3), engine, make_user)
    user = accounts.make()
    right = [accounts.login(user).status_code for _ in range(5)]
    assert right == [200] * 5
    wrong = [accounts.login(user, password=OTHER_PASSWORD).status_code for _ in range(4)]
    assert wrong == [401, 401, 401, 429]


async def test_valkey_learns_nobodys_address(settings: Settings, valkey: Redis) -> None:
    request = Request({"type": "http", "headers": [], "client": ("192.0.2.1", 1)})
    async with open_parts(settings) as parts:
        await limit_sign_in(request, parts, account="ada@example.com", by_strangers=True)
    keys = [key.decode() for key in valkey.keys("limit:auth:*")]  # type: ignore[union-attr]
    assert len(keys) == 3
    assert not any("@" in key for key in keys)
