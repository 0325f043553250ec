"""Guessing is slow: tries are counted by address and by account on every route that takes a
proof, or sends a mail."""

from __future__ import annotations

from itertools import cycle
from typing import Any

import httpx2 as httpx
import pytest
from redis import Redis

from api.contract.limits import STRANGERS_FACTOR
from infra.ids import new_id
from tests.e2e.api.auth.accounts import AUTH, PASSWORD, Accounts
from tests.harness.api import RunningApi, StartApi

LIMIT = 3
FORGED = "forged"
ROUTES: list[tuple[str, dict[str, Any], int]] = [
    ("/login", {"name": "mia@example.com", "password": "wrong"}, 401),
    (
        "/register",
        {"handle": "mia", "email": "mia@example.com", "password": "too short"},
        422,
    ),
    ("/verify-email", {"token": FORGED}, 422),
    ("/verify-email/resend", {"email": "mia@example.com"}, 202),
    ("/email/confirm", {"token": FORGED}, 422),
    ("/password/forgot", {"email": "mia@example.com"}, 202),
    ("/password/reset", {"token": FORGED, "new_password": PASSWORD}, 422),
]


@pytest.fixture
def strict(start_api: StartApi, valkey: Redis) -> RunningApi:
    """An API that lets three tries pass, and believes what a proxy in front says of clients."""
    del valkey  # Asked for, because it is emptied.
    return start_api(rate_limit_auth_per_15_minutes=LIMIT, trusted_proxies=("127.0.0.1",))


def post(api: RunningApi, path: str, body: dict[str, Any], *, ip: str) -> httpx.Response:
    return api.client().post(f"{AUTH}{path}", json=body, headers={"x-forwarded-for": ip})


@pytest.mark.parametrize(("path", "body", "status"), ROUTES, ids=[path for path, *_ in ROUTES])
def test_tries_of_one_address_are_counted(
    strict: RunningApi, path: str, body: dict[str, Any], status: int
) -> None:
    answers = [post(strict, path, body, ip="192.0.2.1") for _ in range(LIMIT + 1)]
    assert [answer.status_code for answer in answers] == [status] * LIMIT + [429]
    assert int(answers[-1].headers["retry-after"]) > 0


@pytest.mark.parametrize("exists", [True, False])
def test_tries_of_one_account_are_counted_from_wherever_they_come(
    strict: RunningApi, accounts: Accounts, exists: bool
) -> None:
    if exists:
        accounts.make(email="mia@example.com")
    names = ("mia@example.com", "MIA@example.com", " mia@example.com ", "Mia@example.com")
    most = LIMIT * STRANGERS_FACTOR
    statuses = [
        post(strict, "/login", {"name": name, "password": "wrong"}, ip=f"192.0.2.{n}").status_code
        for n, name in zip(range(most + 2), cycle(names), strict=False)
    ]
    assert statuses == [401] * most + [429] * 2


@pytest.mark.parametrize("path", ["/password/forgot", "/verify-email/resend", "/register"])
@pytest.mark.parametrize("spent_on", ["/login", "/password/forgot"])
def test_strangers_can_not_keep_somebody_from_asking_for_a_mail(
    strict: RunningApi, path: str, spent_on: str
) -> None:
    email = "mia@example.com"
    wishes: dict[str, dict[str, Any]] = {
        "/login": {"name": email, "password": "wrong"},
        "/register": {"handle": f"mia{new_id()[-8:]}", "email": email, "password": PASSWORD},
    }
    for number in range(LIMIT * 2):
        post(strict, spent_on, wishes.get(spent_on, {"email": email}), ip=f"198.51.100.{number}")
    asked = post(strict, path, wishes.get(path, {"email": email}), ip="192.0.2.1")
    assert asked.status_code == 202


def test_guesses_of_a_signed_in_thief_are_counted(strict: RunningApi, accounts: Accounts) -> None:
    client, _ = accounts.signed_in(accounts.make())
    bearer = {"authorization": client.headers["authorization"]}
    body = {"current_password": "wrong", "new_password": PASSWORD}
    statuses = [
        strict.client()
        .post(
            f"{AUTH}/password/change",
            json=body,
            headers=bearer | {"x-forwarded-for": f"192.0.2.{each}"},
        )
        .status_code
        for each in range(LIMIT + 1)
    ]
    assert statuses == [403] * LIMIT + [429]
