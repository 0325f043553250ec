"""Events: what happened, with the object as it was then."""

from __future__ import annotations

import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from stripe.params import EventListParams, EventRetrieveParams

from devstack.stripe.answers import page, shown
from devstack.stripe.errors import Obj, refuse
from devstack.stripe.routes import route
from devstack.stripe.world import API_VERSION, DAY, Scope

KEPT_SECONDS = 30 * DAY
"""Stripe's API gives events of the last 30 days."""


def emit(
    scope: Scope, event_type: str, obj: Obj, *, previous: Mapping[str, Any] | None = None
) -> Obj:
    """Make an event, and a delivery of it for each endpoint that wants it."""
    data: Obj = {"object": json.loads(json.dumps(shown(scope, obj)))}
    if previous is not None:
        data["previous_attributes"] = dict(previous)
    request = scope.world.request
    event: Obj = {
        "id": scope.new_id("evt"),
        "object": "event",
        "api_version": API_VERSION,
        "created": scope.now,
        "data": data,
        "livemode": False,
        "pending_webhooks": 0,
        "request": {"id": request.id, "idempotency_key": request.idempotency_key},
        "type": event_type,
    }
    if scope.account:
        event["account"] = scope.account
    scope.save(event)
    for endpoint in scope.platform.all("webhook_endpoint"):
        if _wants(endpoint, event):
            event["pending_webhooks"] += 1
            _deliver(scope, endpoint, event)
    return event


def _wants(endpoint: Obj, event: Obj) -> bool:
    return (
        endpoint["status"] == "enabled"
        and endpoint["_connect"] == ("account" in event)
        and any(fnmatchcase(event["type"], wanted) for wanted in endpoint["enabled_events"])
    )


def _deliver(scope: Scope, endpoint: Obj, event: Obj) -> None:
    delivery_id = scope.new_id("whd")
    row = {
        "id": delivery_id,
        "event": event["id"],
        "account": scope.account,
        "endpoint": endpoint["id"],
        "attempts": 0,
        "next_at": scope.now,
    }
    scope.world.store.put("", "_delivery", delivery_id, row)


@route("GET", "/v1/events", EventListParams)
def list_events(scope: Scope, params: Obj) -> Obj:
    rows = [row for row in scope.all("event") if row["created"] > scope.now - KEPT_SECONDS]
    if "delivery_success" in params:
        wanted = params["delivery_success"]
        rows = [row for row in rows if (row["pending_webhooks"] == 0) == wanted]
    types = params.get("types", [])
    if "type" in params and types:
        refuse("You may only specify one of these parameters: type, types.", param="types")
    if "type" in params:
        types = [params["type"]]
    if types:
        rows = [row for row in rows if any(fnmatchcase(row["type"], kind) for kind in types)]
    return page(rows, params, "/v1/events")


@route("GET", "/v1/events/{id}", EventRetrieveParams)
def retrieve_event(scope: Scope, _params: Obj, event_id: str) -> Obj:
    return scope.get("event", event_id)
