"""The local Stripe on its port: by the real client, its pages, its webhooks and a restart."""

from __future__ import annotations

import http.server
import os
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
import stripe

from devstack.stack import Stack
from devstack.stripe.part import Stripe, control, tell_of_api

PATH_ONLY = {"PATH": os.environ["PATH"]}
Hook = tuple[str, bytes, str]


@pytest.fixture
def stack(other_run_dir: Path) -> Iterator[Stack]:
    with Stack(other_run_dir, parts=[Stripe()], environ=PATH_ONLY, durable=False) as stack:
        yield stack


@pytest.fixture
def base(stack: Stack) -> str:
    return stack.environment["STRIPE_API_BASE"]


@pytest.fixture
def client(stack: Stack, base: str) -> stripe.StripeClient:
    return _client(stack.environment["STRIPE_SECRET_KEY"], base)


@pytest.fixture
def hooks() -> Iterator[tuple[str, Queue[Hook]]]:
    """Somebody who takes webhooks: their address, and what came: path, body, signature."""
    came: Queue[Hook] = Queue()

    class Taker(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            came.put((self.path, body, self.headers["Stripe-Signature"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Nobody reads it."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Taker)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", came
    server.shutdown()
    thread.join()
    server.server_close()


def _client(key: str, base: str) -> stripe.StripeClient:
    return stripe.StripeClient(key, base_addresses={"api": base}, max_network_retries=0)


def _pay(client: stripe.StripeClient, method: str = "pm_card_visa", **more: Any) -> Any:
    key = more.pop("key", None)
    params: Any = {
        "amount": 1000,
        "currency": "usd",
        "payment_method": method,
        "allowed_payment_method_types": ["card"],
        "confirm": True,
        **more,
    }
    return client.v1.payment_intents.create(params, {"idempotency_key": key})


class _StayHere(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **more: Any) -> None:
        return None


def _press(url: str, choice: str) -> str:
    """Press a button of a page; where it leads."""
    body = urllib.parse.urlencode({"choice": choice}).encode()
    opener = urllib.request.build_opener(_StayHere)
    with pytest.raises(urllib.error.HTTPError) as raised, opener.open(url, data=body):
        pass
    raised.value.close()
    assert raised.value.code == 303
    return str(raised.value.headers["Location"])


def test_the_clients_own_http_pays(client: stripe.StripeClient, base: str) -> None:
    assert _pay(client).status == "succeeded"
    with pytest.raises(stripe.CardError):
        _pay(client, "pm_card_chargeDeclined")
    with pytest.raises(stripe.AuthenticationError):
        _client("sk_test_other", base).v1.balance.retrieve()


def test_an_answer_is_lost_as_a_cut_connection_loses_it(
    client: stripe.StripeClient, base: str
) -> None:
    control(base, "fault", kind="lost_after", method="POST", path="/v1/payment_intents")
    with pytest.raises(stripe.APIConnectionError):
        _pay(client, key="k")
    assert _pay(client, key="k").status == "succeeded"
    assert len(client.v1.payment_intents.list().data) == 1


def test_everything_survives_a_restart(
    stack: Stack, client: stripe.StripeClient, base: str
) -> None:
    intent = _pay(client)
    moved = control(base, "clock", seconds=86_400)["now"]
    stack.stop()
    assert stack.start()["STRIPE_API_BASE"] == base
    assert client.v1.payment_intents.retrieve(intent.id).status == "succeeded"
    assert control(base, "clock")["now"] >= moved


def test_a_buyer_authenticates_on_the_page(client: stripe.StripeClient) -> None:
    intent = _pay(client, "pm_card_authenticationRequired", return_url="http://fan.example/back")
    url = intent.next_action.redirect_to_url.url
    with urllib.request.urlopen(url) as page:
        assert b"Complete" in page.read()
    assert "redirect_status=succeeded" in _press(url, "complete")
    assert client.v1.payment_intents.retrieve(intent.id).status == "succeeded"


def test_a_creator_onboards_on_the_page(client: stripe.StripeClient) -> None:
    account = client.v1.accounts.create(
        {"type": "express", "capabilities": {"transfers": {"requested": True}}}
    )
    link = client.v1.account_links.create(
        {
            "account": account.id,
            "type": "account_onboarding",
            "return_url": "http://creator.example/return",
            "refresh_url": "http://creator.example/refresh",
        }
    )
    with urllib.request.urlopen(link.url) as page:
        assert b"Complete" in page.read()
    assert _press(link.url, "complete") == "http://creator.example/return"
    assert client.v1.accounts.retrieve(account.id).payouts_enabled


def test_webhooks_reach_the_api(
    stack: Stack, client: stripe.StripeClient, base: str, hooks: tuple[str, Queue[Hook]]
) -> None:
    address, came = hooks
    keys = {
        "stripe_secret_key": stack.environment["STRIPE_SECRET_KEY"],
        "stripe_webhook_secret": stack.environment["STRIPE_WEBHOOK_SECRETS"],
        "stripe_connect_webhook_secret": stack.environment["STRIPE_CONNECT_WEBHOOK_SECRETS"],
    }
    tell_of_api(stack.environment, keys, api_url=address)
    control(base, "sending", copies=2)
    client.v1.customers.create({})
    for _ in range(2):
        path, body, signature = came.get(timeout=10)
        event = stripe.Webhook.construct_event(body, signature, keys["stripe_webhook_secret"])
        assert (path, event.type) == ("/webhooks/stripe", "customer.created")
    control(base, "sending", copies=1)
    control(base, "clock", seconds=86_400)
    client.v1.customers.create({})
    _, body, signature = came.get(timeout=10)
    signed_at = int(signature.partition(",")[0].removeprefix("t="))
    assert abs(signed_at - time.time()) < 300, "nobody believes a signature from tomorrow"
    client.v1.accounts.create({"type": "express"})
    path, body, signature = came.get(timeout=10)
    event = stripe.Webhook.construct_event(body, signature, keys["stripe_connect_webhook_secret"])
    assert (path, event.type) == ("/webhooks/stripe/connect", "account.updated")
    deadline = time.monotonic() + 10
    while client.v1.events.list({"delivery_success": False}).data:
        assert time.monotonic() < deadline, "what was delivered is not tried again"
        time.sleep(0.05)
