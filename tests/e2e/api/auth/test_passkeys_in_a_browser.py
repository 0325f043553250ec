"""Chromium makes and uses passkeys on a page of the app, by its own idea of WebAuthn."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, CDPSession, Error, Page
from sqlalchemy import Engine

from tests.e2e.api.auth.accounts import AUTH, Accounts
from tests.e2e.api.auth.owners import Owner, Owners
from tests.harness.api import RunningApi, StartApi
from tests.harness.browser import browser
from tests.harness.rows import MakeUser

__all__ = ["browser"]
HERE = Path(__file__).parent
PLATFORM_AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
WITHOUT_A_PIN = {"hasResidentKey": False, "hasUserVerification": False, "isUserVerified": False}


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """The test's own output says enough."""


@contextmanager
def site() -> Iterator[str]:
    """The page's origin. By the name `localhost`, which passkeys may belong to without TLS."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(HERE))) as server:
        thread = threading.Thread(target=server.serve_forever, name="site", daemon=True)
        thread.start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()
        thread.join()


@dataclass
class Device:
    """A browser whose own authenticator holds passkeys."""

    page: Page
    cdp: CDPSession
    authenticator_id: str
    api: RunningApi

    def run(self, call: str, *arguments: object) -> dict[str, Any]:
        """A function of the page; its answer's status and body."""
        answer: dict[str, Any] = self.page.evaluate(
            f"given => {call}(...given)", [self.api.url, *arguments]
        )
        return answer

    def passkeys(self) -> list[dict[str, Any]]:
        found = self.cdp.send("WebAuthn.getCredentials", {"authenticatorId": self.authenticator_id})
        kept: list[dict[str, Any]] = found["credentials"]
        return kept


@dataclass
class App:
    """An API, a page that it trusts, and one of another origin of the same host."""

    api: RunningApi
    origin: str
    other_origin: str


@pytest.fixture
def app(start_api: StartApi) -> Iterator[App]:
    with site() as origin, site() as other_origin:
        api = start_api(cors_origins=(origin, other_origin), webauthn_origins=(origin,))
        yield App(api, origin, other_origin)


@pytest.fixture
def device(browser: Browser, app: App) -> Iterator[Device]:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{app.origin}/passkeys.html")
    cdp = context.new_cdp_session(page)
    cdp.send("WebAuthn.enable")
    made = cdp.send("WebAuthn.addVirtualAuthenticator", {"options": PLATFORM_AUTHENTICATOR})
    yield Device(page, cdp, made["authenticatorId"], app.api)
    context.close()


@pytest.fixture
def owner(app: App, engine: Engine, make_user: MakeUser) -> Owner:
    return Owners(Accounts(app.api, engine, make_user)).make()


def token_of(owner: Owner) -> str:
    return str(owner.client.headers["authorization"]).removeprefix("Bearer ")


def test_a_browser_makes_a_passkey_and_signs_in_with_it(device: Device, owner: Owner) -> None:
    added = device.run("register", token_of(owner), "This computer")
    assert added["status"] == 201, added
    assert added["body"]["passkey"]["transports"] == ["internal"]
    assert len(added["body"]["recovery_codes"]) == 10
    [kept] = device.passkeys()
    assert (kept["rpId"], kept["isResidentCredential"]) == ("localhost", True)

    for count in (1, 2):
        signed_in = device.run("signIn")
        assert signed_in["status"] == 200, signed_in
        assert signed_in["body"]["user_id"] == owner.user.id
        assert device.passkeys()[0]["signCount"] > count
    client = device.api.client(token=signed_in["body"]["access_token"])
    [newest, *_] = client.get(f"{AUTH}/sessions").json()["data"]
    assert (newest["is_current"], newest["methods"]) == (True, ["hwk", "mfa"])
    assert "Chrome" in newest["user_agent"]

    factor = device.run("answerSecondFactor", owner.challenge())
    assert factor["status"] == 200, factor
    stepped_up = device.run("stepUp", token_of(owner))
    assert (stepped_up["status"], stepped_up["body"]["has_second_factor"]) == (200, True)


def test_a_browser_makes_no_second_passkey_where_one_is_kept(device: Device, owner: Owner) -> None:
    device.run("register", token_of(owner), "This computer")
    with pytest.raises(Error, match="InvalidStateError"):
        device.run("register", token_of(owner), "This computer again")
    assert len(device.passkeys()) == 1


def test_without_verifying_its_user_a_device_is_a_second_factor_and_no_more(
    device: Device, owner: Owner
) -> None:
    device.cdp.send(
        "WebAuthn.removeVirtualAuthenticator", {"authenticatorId": device.authenticator_id}
    )
    key = {**PLATFORM_AUTHENTICATOR, "transport": "usb", **WITHOUT_A_PIN}
    device.cdp.send("WebAuthn.addVirtualAuthenticator", {"options": key})
    added = device.run("register", token_of(owner), "A key without a PIN")
    assert added["status"] == 201, added
    with pytest.raises(Error, match="NotAllowedError"):
        device.run("signIn")
    factor = device.run("answerSecondFactor", owner.challenge())
    assert factor["status"] == 200, factor


def test_a_page_of_another_origin_is_refused_though_the_browser_lets_it_sign(
    app: App, device: Device, owner: Owner
) -> None:
    device.run("register", token_of(owner), "This computer")
    device.page.goto(f"{app.other_origin}/passkeys.html")
    refused = device.run("signIn")
    assert (refused["status"], refused["body"]["code"]) == (401, "passkey_refused")
    device.page.goto(f"{app.origin}/passkeys.html")
    assert device.run("signIn")["status"] == 200
