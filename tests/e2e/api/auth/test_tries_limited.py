"""Tries of second factors and passkeys are few, of one account and of one address."""

from __future__ import annotations

from collections.abc import Callable

import httpx2 as httpx
import pytest
from redis import Redis

from tests.e2e.api.auth.accounts import AUTH
from tests.e2e.api.auth.owners import WRONG_CODE, Owner, Owners, code_of
from tests.e2e.api.walk.factors import CHALLENGE, FORGED
from tests.harness.api import RunningApi, StartApi

TRIES = 3
Try = Callable[[str], httpx.Response]
"""From the address that is given."""


@pytest.fixture
def strict_api(start_api: StartApi) -> RunningApi:
    return start_api(rate_limit_auth_per_15_minutes=TRIES, trusted_proxies=("127.0.0.1",))


def tries(api: RunningApi, path: str, body: object, *, token: str | None = None) -> Try:
    client = api.client(token=token)
    return lambda address: client.post(
        f"{AUTH}{path}", json=body, headers={"x-forwarded-for": address}
    )


def token_of(owner: Owner) -> str:
    return str(owner.client.headers["authorization"]).removeprefix("Bearer ")


def test_second_factors_of_one_account_are_tried_a_few_times_from_wherever(
    owners: Owners, strict_api: RunningApi, valkey: Redis
) -> None:
    owner = owners.make()
    phone, _ = owner.set_up_codes()
    challenges = [owner.challenge() for _ in range(TRIES + 1)]
    valkey.flushdb()
    for number, challenge_id in enumerate(challenges[:TRIES]):
        body = {"challenge_id": challenge_id, "code": WRONG_CODE}
        refused = tries(strict_api, "/login/second-factor", body)(f"192.0.2.{number}")
        assert code_of(refused) == (401, "second_factor_wrong")
    right = {"challenge_id": challenges[-1], "code": phone.code()}
    limited = tries(strict_api, "/login/second-factor", right)("192.0.2.99")
    assert limited.status_code == 429
    assert int(limited.headers["retry-after"]) > 60


def test_step_ups_of_one_account_are_tried_a_few_times(
    owners: Owners, strict_api: RunningApi, valkey: Redis
) -> None:
    owner = owners.make()
    valkey.flushdb()
    wrong = tries(strict_api, "/step-up", {"password": "wrong"}, token=token_of(owner))
    statuses = [wrong(f"192.0.2.{number}").status_code for number in range(TRIES + 1)]
    assert statuses == [403] * TRIES + [429]


def test_passkeys_are_tried_a_few_times_from_one_address(
    strict_api: RunningApi, valkey: Redis
) -> None:
    valkey.flushdb()
    body = {**CHALLENGE, "credential": FORGED}
    try_it = tries(strict_api, "/passkeys/sign-in", body)
    assert [try_it("192.0.2.1").status_code for _ in range(TRIES + 1)] == [410] * TRIES + [429]
    assert try_it("192.0.2.2").status_code == 410
