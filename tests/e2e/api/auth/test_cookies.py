"""Browsers: cookies that scripts can't read, and sites that may not act here."""

from __future__ import annotations

import re
from http.cookies import SimpleCookie
from typing import Any

import httpx2 as httpx
import pytest
from fastapi.routing import iter_route_contexts

from api.app import create_app
from infra.ids import new_id
from infra.settings import Settings
from tests.e2e.api.auth.accounts import AUTH, Accounts
from tests.harness.api import RunningApi, StartApi

ACCESS, REFRESH = "__Host-fansworld-access", "__Host-fansworld-refresh"
APP = "https://app.example"
EVIL = "https://evil.example"
UNSAFE = ("DELETE", "PATCH", "POST", "PUT")


def cookies_of(answer: httpx.Response) -> dict[str, Any]:
    """By name. A client of http://127.0.0.1 would rightly keep none that is `Secure`."""
    found: SimpleCookie = SimpleCookie()
    for header in answer.headers.get_list("set-cookie"):
        found.load(header)
    return dict(found)


def browser(api: RunningApi, answer: httpx.Response, **headers: str) -> httpx.Client:
    """A client with the cookies of this answer, sending what browsers add to their requests."""
    client = api.client()
    values = (f"{name}={morsel.value}" for name, morsel in cookies_of(answer).items())
    client.headers["cookie"] = "; ".join(values)
    client.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return client


def own_page(api: RunningApi, answer: httpx.Response) -> httpx.Client:
    return browser(api, answer, sec_fetch_site="same-origin", origin=api.url)


def test_tokens_are_in_cookies_that_stay_with_host_and_browser(accounts: Accounts) -> None:
    answer = accounts.login(accounts.make(), mode="cookie")
    body, cookies = answer.json(), cookies_of(answer)
    assert answer.status_code == 200
    assert [body[name] for name in ("access_token", "refresh_token", "token_type")] == [None] * 3
    assert set(cookies) == {ACCESS, REFRESH}
    for morsel in cookies.values():
        assert morsel["httponly"] and morsel["secure"]
        assert (morsel["path"], morsel["domain"]) == ("/", "")
        assert (morsel["samesite"], morsel["max-age"]) == ("lax", str(30 * 24 * 3600))


def test_a_browser_reads_refreshes_and_signs_out_by_its_cookies(
    accounts: Accounts, api: RunningApi
) -> None:
    begun = accounts.login(accounts.make(), mode="cookie")
    page = own_page(api, begun)
    [listed] = page.get(f"{AUTH}/sessions").json()["data"]
    assert (listed["mode"], listed["is_current"]) == ("cookie", True)
    refreshed = page.post(f"{AUTH}/refresh")
    assert refreshed.status_code == 200
    assert refreshed.json()["access_token"] is None
    assert cookies_of(refreshed)[REFRESH].value != cookies_of(begun)[REFRESH].value
    page = own_page(api, refreshed)
    left = page.post(f"{AUTH}/logout")
    assert left.status_code == 204
    assert {(each.value, each["max-age"]) for each in cookies_of(left).values()} == {("", "0")}
    assert page.get(f"{AUTH}/sessions").json()["code"] == "session_ended"


def test_revoking_the_own_session_clears_its_cookies(accounts: Accounts, api: RunningApi) -> None:
    begun = accounts.login(accounts.make(), mode="cookie")
    path = f"{AUTH}/sessions/{begun.json()['session_id']}"
    assert set(cookies_of(own_page(api, begun).delete(path))) == {ACCESS, REFRESH}


def test_an_authorization_header_goes_before_the_cookie(
    accounts: Accounts, api: RunningApi
) -> None:
    page = own_page(api, accounts.login(accounts.make(), mode="cookie"))
    _, other = accounts.signed_in(accounts.make())
    bearer = {"authorization": f"Bearer {other['access_token']}"}
    [listed] = page.get(f"{AUTH}/sessions", headers=bearer).json()["data"]
    assert listed["id"] == other["session_id"]
    broken = page.get(f"{AUTH}/sessions", headers={"authorization": "Bearer broken"})
    assert broken.json()["code"] == "token_invalid"


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ({}, False),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "nonsense"}, False),
        ({"sec-fetch-site": "same-site", "origin": APP}, True),
        ({"sec-fetch-site": "cross-site", "origin": APP}, True),
        ({"sec-fetch-site": "same-site", "origin": EVIL}, False),
        ({"sec-fetch-site": "cross-site", "origin": EVIL}, False),
        ({"origin": "own"}, True),
        ({"origin": APP}, True),
        ({"origin": EVIL}, False),
        ({"origin": "null"}, False),
        ({"origin": f"{APP}.evil.example"}, False),
        ({"origin": "http://app.example"}, False),
        ({"authorization": "own", "origin": EVIL, "sec-fetch-site": "cross-site"}, True),
    ],
    ids=str,
)
def test_who_may_change_something_by_cookies(
    accounts: Accounts, start_api: StartApi, headers: dict[str, str], passes: bool
) -> None:
    api = start_api(cors_origins=(APP,))
    user = accounts.make()
    page = browser(api, accounts.login(user, mode="cookie"))
    if headers.get("origin") == "own":
        headers = headers | {"origin": api.url}
    if "authorization" in headers:
        _, bearer = accounts.signed_in(user)
        headers = headers | {"authorization": f"Bearer {bearer['access_token']}"}
    answer = page.post(f"{AUTH}/logout", headers=headers)
    assert answer.status_code == (204 if passes else 403)
    if not passes:
        assert answer.json()["code"] == "csrf_refused"
        assert page.get(f"{AUTH}/sessions", headers=headers).status_code == 200, "reading is safe"


def test_no_route_that_changes_something_can_be_called_from_a_foreign_page(
    accounts: Accounts, api: RunningApi, settings: Settings
) -> None:
    signed_in = browser(api, accounts.login(accounts.make(), mode="cookie"))
    calls = [
        (method, re.sub(r"\{\w+\}", new_id(), str(context.path)))
        for context in iter_route_contexts(create_app(settings).routes)
        for method in sorted(getattr(context, "methods", None) or ())
        if method in UNSAFE
    ]
    assert len(calls) > 15
    for client in (signed_in, api.client()):
        for headers in ({"origin": EVIL}, {"origin": EVIL, "sec-fetch-site": "cross-site"}):
            for method, path in calls:
                answer = client.request(method, path, headers=headers, json={})
                assert answer.status_code == 403, (method, path)
                assert answer.json()["code"] == "csrf_refused"


def test_listed_origins_may_send_cookies_and_read_answers(
    accounts: Accounts, start_api: StartApi
) -> None:
    api = start_api(cors_origins=(APP,))
    page = browser(api, accounts.login(accounts.make(), mode="cookie"), origin=APP)
    answer = page.get(f"{AUTH}/sessions")
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == APP
    assert answer.headers["access-control-allow-credentials"] == "true"
    foreign = page.get(f"{AUTH}/sessions", headers={"origin": EVIL})
    assert "access-control-allow-origin" not in foreign.headers
