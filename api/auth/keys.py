"""The public halves of the keys that sign access tokens."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
from fastapi import APIRouter, Header, Response

from api import API_PREFIX
from api.parts import ApiParts

MAX_AGE_SECONDS = 300
"""A new key has to be published for so long before it may sign (`docs/operations.md`)."""
MEDIA_TYPE = "application/jwk-set+json"

router = APIRouter(tags=["auth"])
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "A JWK Set (RFC 7517 §5).", "content": {MEDIA_TYPE: {}}},
    304: {"description": "It is as the client has it."},
}


@router.get(
    "/.well-known/jwks.json",
    operation_id="getKeys",
    response_class=Response,
    responses=_ANSWERS,
)
@router.get(
    f"{API_PREFIX}/auth/jwks",
    operation_id="getAuthKeys",
    response_class=Response,
    responses=_ANSWERS,
)
async def jwks(
    parts: ApiParts, if_none_match: str | None = Header(default=None, max_length=200)
) -> Response:
    """The keys that verify access tokens, the signing one first. May be kept for five minutes."""
    body = orjson.dumps(parts.token_keys.public_set())
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"cache-control": f"public, max-age={MAX_AGE_SECONDS}", "etag": etag}
    if if_none_match is not None and etag in if_none_match:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=MEDIA_TYPE, headers=headers)
