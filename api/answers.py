"""Answers of hot reads, written as they are.

FastAPI checks what a route returns against its model and turns it into JSON from there, which
costs more than the read itself. Here a route returns its answer as bytes and names the model
for the document only. That both agree is held by the fuzz tests, which check every answer
against the document.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response


def json_answer(
    content: Any, *, status_code: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """`content` as JSON: dicts, lists, enums, times (in UTC, with `Z`) and plain values."""
    return Response(
        orjson.dumps(content, option=orjson.OPT_UTC_Z),
        status_code=status_code,
        media_type="application/json",
        headers=dict(headers) if headers else None,
    )
