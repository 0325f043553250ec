"""Rows of routes that are the same for everybody."""

from __future__ import annotations

from typing import Any

from tests.e2e.api.walk.rows import Row, each

WITHOUT_OPERATION = {"/openapi.json", "/docs"}
"""The document and its page."""

ROWS: list[Row[Any]] = [
    Row("live", lambda case: case.client.get("/livez"), each(200)),
    Row("ready", lambda case: case.client.get("/readyz"), each(200)),
    # Who signs in counts for nothing there, and who can't sign as Stripe is refused.
    Row(
        "receiveStripeEvent",
        lambda case: case.client.post("/webhooks/stripe", json={}),
        each(422),
    ),
    Row(
        "receiveStripeConnectEvent",
        lambda case: case.client.post("/webhooks/stripe/connect", json={}),
        each(422),
    ),
    Row("metrics", lambda case: case.client.get("/metrics"), each(200)),
]
