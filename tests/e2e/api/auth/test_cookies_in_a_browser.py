"""Chromium keeps the cookies from scripts, and a page of a neighbouring origin from acting."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.e2e.api.auth.accounts import AUTH, PASSWORD, Accounts
from tests.harness.api import RunningApi, StartApi
from tests.harness.browser import browser

__all__ = ["browser"]

CALL = """async ([method, path, body]) => {
    const answer = await fetch(path, {
        method,
        headers: body ? {"content-type": "application/json"} : {},
        body: body ? JSON.stringify(body) : undefined,
    });
    return [answer.status, await answer.text()];
}"""
# What any page may send without asking first: no preflight, no readable answer.
BLIND_POST = """path => fetch(path, {method: "POST", mode: "no-cors", credentials: "include"})"""


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """The pages' own policies are set aside: an attacker's would have none."""
    opened = browser.new_context(bypass_csp=True)
    yield opened
    opened.close()


def page_of(context: BrowserContext, api: RunningApi) -> Page:
    page = context.new_page()
    page.goto(f"{api.url}/docs")
    return page


def call(page: Page, method: str, path: str, body: dict[str, Any] | None = None) -> int:
    status: int = page.evaluate(CALL, [method, f"{AUTH}{path}", body])[0]
    return status


def test_a_browser_signs_in_goes_on_and_signs_out(
    context: BrowserContext, accounts: Accounts
) -> None:
    user = accounts.make()
    page = page_of(context, accounts.api)
    assert call(page, "GET", "/sessions") == 401
    login = {"name": user.handle, "password": PASSWORD, "mode": "cookie"}
    assert call(page, "POST", "/login", login) == 200
    kept = {cookie["name"] for cookie in context.cookies()}
    assert kept == {"__Host-fansworld-access", "__Host-fansworld-refresh"}
    assert page.evaluate("document.cookie") == ""
    assert [call(page, "GET", "/sessions"), call(page, "POST", "/refresh")] == [200, 200]
    assert [call(page, "GET", "/sessions"), call(page, "POST", "/logout")] == [200, 204]
    assert context.cookies() == []


def test_a_page_of_a_neighbouring_origin_sends_the_cookies_and_is_refused(
    context: BrowserContext, accounts: Accounts, start_api: StartApi
) -> None:
    user = accounts.make()
    own = page_of(context, accounts.api)
    login = {"name": user.handle, "password": PASSWORD, "mode": "cookie"}
    assert call(own, "POST", "/login", login) == 200
    # Another port of the same host: to a browser the same site, so `SameSite` holds nothing off.
    neighbour = page_of(context, start_api())
    sent: list[dict[str, str]] = []

    def note(event: dict[str, Any]) -> None:
        # By `fetch`: the browser may still be after the page's icon.
        if event["headers"].get("Sec-Fetch-Dest") == "empty":
            sent.append(event["headers"])

    cdp = context.new_cdp_session(neighbour)
    cdp.on("Network.requestWillBeSentExtraInfo", note)
    cdp.send("Network.enable")
    for path in ("/logout", "/logout-all", "/refresh"):
        url = f"{accounts.api.url}{AUTH}{path}"
        with neighbour.expect_response(url) as refused:
            neighbour.evaluate(BLIND_POST, url)
        assert refused.value.status == 403
    # The browser asks for an icon by itself, sooner or later.
    posts = [headers for headers in sent if headers["Sec-Fetch-Dest"] == "empty"]
    assert len(posts) == 3
    for headers in posts:
        assert "__Host-fansworld-access" in headers["Cookie"], "the browser sent them along"
        assert headers["Sec-Fetch-Site"] == "same-site"
    assert call(own, "GET", "/sessions") == 200, "nothing was ended"
