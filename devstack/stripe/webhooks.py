"""Webhook endpoints, and the deliveries that are due to them.

See "Webhooks" in Stripe's documentation: a delivery that is not answered by 2xx is tried again
with growing pauses for up to three days.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stripe.params import (
    WebhookEndpointCreateParams,
    WebhookEndpointDeleteParams,
    WebhookEndpointListParams,
    WebhookEndpointRetrieveParams,
    WebhookEndpointUpdateParams,
)

from devstack.stripe.answers import page, shown
from devstack.stripe.errors import Obj
from devstack.stripe.routes import route
from devstack.stripe.store import PLATFORM
from devstack.stripe.world import API_VERSION, Endpoint, Scope, World, merged_metadata, updated

PAUSES_SECONDS = (300, 1_800, 7_200, 18_000, 36_000, *(43_200,) * 4)
"""After each attempt that fails; then it is given up, three days after the first."""


@dataclass(frozen=True)
class Delivery:
    """One POST that is due."""

    id: str
    url: str
    headers: dict[str, str]
    body: bytes
    event_id: str
    event_type: str
    account: str
    """Of a Connect event: the connected account; "" of the platform's own."""
    attempt: int
    """Counts from 1."""


def signature(secret: str, payload: bytes, at: int) -> str:
    """The header `Stripe-Signature`: `t=…,v1=…`, HMAC-SHA256 of `t.payload`."""
    signed = hmac.new(secret.encode(), f"{at}.".encode() + payload, hashlib.sha256)
    return f"t={at},v1={signed.hexdigest()}"


def due(world: World, *, signed_at: int | None = None) -> Iterator[Delivery]:
    """The deliveries whose time has come, oldest first. They are due until one is reported.

    Args:
        signed_at: when they are sent by the clock of who takes them; None: by this one.
    """
    at = world.now if signed_at is None else signed_at
    for row in world.store.all(PLATFORM, "_delivery"):
        endpoint = world.store.get(PLATFORM, "webhook_endpoint", row["endpoint"])
        if row["next_at"] > world.now or endpoint is None:
            continue
        scope = world.scope(row["account"])
        event = scope.get("event", row["event"])
        body = json.dumps(shown(scope, event), indent=2).encode()
        yield Delivery(
            id=row["id"],
            url=endpoint["url"],
            headers={
                "Content-Type": "application/json; charset=utf-8",
                "Stripe-Signature": signature(endpoint["_secret"], body, at),
                "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            },
            body=body,
            event_id=event["id"],
            event_type=event["type"],
            account=row["account"],
            attempt=row["attempts"] + 1,
        )


def report(world: World, delivery_id: str, status: int) -> None:
    """How an attempt ended; `status` 0 where nobody answered. One reported twice changes nothing.

    2xx ends the delivery; all else has it tried again after a pause, until it is given up.
    """
    row = world.store.get(PLATFORM, "_delivery", delivery_id)
    if row is None:
        return
    if 200 <= status < 300:
        scope = world.scope(row["account"])
        event = scope.get("event", row["event"])
        event["pending_webhooks"] -= 1
        scope.save(event)
        world.store.drop(PLATFORM, "_delivery", delivery_id)
        return
    if row["attempts"] >= len(PAUSES_SECONDS):
        world.store.drop(PLATFORM, "_delivery", delivery_id)
        return
    row["next_at"] = world.now + PAUSES_SECONDS[row["attempts"]]
    row["attempts"] += 1
    world.store.put(PLATFORM, "_delivery", delivery_id, row)


def configure(world: World, endpoints: Sequence[Endpoint]) -> None:
    """Have these told, in place of those that were configured before.

    An endpoint of the same place in the order keeps its deliveries.
    """
    for row in world.store.all(PLATFORM, "webhook_endpoint"):
        if row["_configured"]:
            world.store.drop(PLATFORM, "webhook_endpoint", row["id"])
    for number, endpoint in enumerate(endpoints, start=1):
        made = _endpoint(
            world.scope(),
            f"we_configured{number}",
            url=endpoint.url,
            secret=endpoint.secret,
            connect=endpoint.connect,
            events=list(endpoint.events),
        )
        made["_configured"] = True
        world.scope().save(made)


def _endpoint(
    scope: Scope, endpoint_id: str, *, url: str, secret: str, connect: bool, events: list[str]
) -> Obj:
    return {
        "id": endpoint_id,
        "object": "webhook_endpoint",
        "api_version": API_VERSION,
        "application": None,
        "created": scope.now,
        "description": None,
        "enabled_events": events,
        "livemode": False,
        "metadata": {},
        "status": "enabled",
        "url": url,
        "_connect": connect,
        "_secret": secret,
        "_configured": False,
    }


@route("POST", "/v1/webhook_endpoints", WebhookEndpointCreateParams)
def create_endpoint(scope: Scope, params: Obj) -> Obj:
    """The secret is answered here only, as Stripe does."""
    endpoint_id = scope.new_id("we")
    secret = f"whsec_{scope.world.secret(endpoint_id)}"
    endpoint = _endpoint(
        scope,
        endpoint_id,
        url=params["url"],
        secret=secret,
        connect=params.get("connect", False),
        events=params["enabled_events"],
    )
    endpoint["metadata"] = merged_metadata({}, params.get("metadata"))
    endpoint["description"] = params.get("description") or None
    scope.save(endpoint)
    return {**endpoint, "secret": secret}


@route("POST", "/v1/webhook_endpoints/{id}", WebhookEndpointUpdateParams)
def update_endpoint(scope: Scope, params: Obj, endpoint_id: str) -> Obj:
    endpoint = scope.get("webhook_endpoint", endpoint_id)
    changes: Obj = {name: params[name] for name in ("url", "enabled_events") if name in params}
    if "disabled" in params:
        changes["status"] = "disabled" if params["disabled"] else "enabled"
    if "metadata" in params:
        changes["metadata"] = merged_metadata(endpoint, params["metadata"])
    updated(endpoint, changes)
    return scope.save(endpoint)


@route("DELETE", "/v1/webhook_endpoints/{id}", WebhookEndpointDeleteParams)
def delete_endpoint(scope: Scope, _params: Obj, endpoint_id: str) -> Obj:
    scope.get("webhook_endpoint", endpoint_id)
    scope.world.store.drop(scope.account, "webhook_endpoint", endpoint_id)
    return {"id": endpoint_id, "object": "webhook_endpoint", "deleted": True}


@route("GET", "/v1/webhook_endpoints/{id}", WebhookEndpointRetrieveParams)
def retrieve_endpoint(scope: Scope, _params: Obj, endpoint_id: str) -> Obj:
    return scope.get("webhook_endpoint", endpoint_id)


@route("GET", "/v1/webhook_endpoints", WebhookEndpointListParams)
def list_endpoints(scope: Scope, params: Obj) -> Obj:
    return page(scope.all("webhook_endpoint"), params, "/v1/webhook_endpoints")
