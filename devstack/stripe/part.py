"""The local Stripe as a part of the embedded stack. What it holds survives a restart.

With STRIPE_SECRET_KEY given, Stripe itself is used.
"""

from __future__ import annotations

import http.client
import json
import sys
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from devstack.part import Launch, NotReady, Part, Place

REAL = "https://api.stripe.com"
HOOKS = "/webhooks/stripe"
CONNECT_HOOKS = "/webhooks/stripe/connect"


class Stripe(Part):
    name = "stripe"
    settings = (
        "STRIPE_SECRET_KEY",
        "STRIPE_API_BASE",
        "STRIPE_WEBHOOK_SECRETS",
        "STRIPE_CONNECT_WEBHOOK_SECRETS",
    )
    port_uses = ("stripe",)
    stop_seconds = 5

    def prepare(self, place: Place) -> Launch:
        folder = place.run_dir / "stripe"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        port = str(place.ports["stripe"])
        return Launch(
            (sys.executable, "-m", "devstack.stripe.server", port, str(folder)),
            environment={"STRIPE_SECRET_KEY": place.keys["stripe_secret_key"]},
        )

    def environment(self, place: Place) -> dict[str, str]:
        return {
            "STRIPE_SECRET_KEY": place.keys["stripe_secret_key"],
            "STRIPE_API_BASE": f"http://127.0.0.1:{place.ports['stripe']}",
            "STRIPE_WEBHOOK_SECRETS": place.keys["stripe_webhook_secret"],
            "STRIPE_CONNECT_WEBHOOK_SECRETS": place.keys["stripe_connect_webhook_secret"],
        }

    def check(self, environment: Mapping[str, str]) -> None:
        """The key opens the account."""
        address = urlsplit(environment.get("STRIPE_API_BASE") or REAL)
        kind = (
            http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
        )
        connection = kind(str(address.hostname), address.port, timeout=5)
        key = environment["STRIPE_SECRET_KEY"]
        try:
            connection.request("GET", "/v1/balance", headers={"Authorization": f"Bearer {key}"})
            answer = connection.getresponse()
            answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise NotReady(f"/v1/balance answers {answer.status}")

    def address(self, environment: Mapping[str, str]) -> str:
        return environment.get("STRIPE_API_BASE") or REAL


def control(api_base: str, name: str, **arguments: Any) -> Any:
    """Have a local Stripe do what `devstack/stripe/control.py` names.

    Raises:
        urllib.error.HTTPError: when it can't.
    """
    request = urllib.request.Request(
        f"{api_base}/_control/{name}", data=json.dumps(arguments).encode(), method="POST"
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def tell_of_api(environment: Mapping[str, str], keys: Mapping[str, str], *, api_url: str) -> None:
    """Let the local Stripe send its webhooks to the API; of a real one its owner sees to that."""
    if environment.get("STRIPE_SECRET_KEY") != keys["stripe_secret_key"]:
        return
    hears = {"url": f"{api_url}{HOOKS}", "secret": keys["stripe_webhook_secret"]}
    connect = {
        "url": f"{api_url}{CONNECT_HOOKS}",
        "secret": keys["stripe_connect_webhook_secret"],
        "connect": True,
    }
    control(environment["STRIPE_API_BASE"], "endpoints", endpoints=[hears, connect])
