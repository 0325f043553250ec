"""Rows of routes that are the same for everybody."""

from __future__ import annotations

from typing import Any

from tests.e2e.api.walk.rows import Row, each

WITHOUT_OPERATION = {"/openapi.json", "/docs"}
"""The document and its page."""

ROWS: list[Row[Any]] = [
    Row("live", lambda case: case.client.get("/livez"), each(200)),
    Row("ready", lambda case: case.client.get("/readyz"), each(200)),
    Row("metrics", lambda case: case.client.get("/metrics"), each(200)),
]
