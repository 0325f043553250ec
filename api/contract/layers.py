"""The layers around every route, in their order."""

from __future__ import annotations

from fastapi import FastAPI

from api.auth.csrf import CsrfGuard
from api.contract.idempotency import KEY_HEADER, REPLAYED_HEADER, Idempotency
from api.contract.limits import RateLimits
from api.contract.origins import Cors
from api.middleware import (
    REQUEST_ID_HEADER,
    TRACEPARENT_HEADER,
    BodyLimit,
    LastAnswer,
    RequestContext,
    SecurityHeaders,
)
from infra.settings import Settings

CORS_MAX_AGE_SECONDS = 3600
_SENT = (
    *("authorization", "content-type", "if-match", "last-event-id"),
    *(KEY_HEADER, REQUEST_ID_HEADER, TRACEPARENT_HEADER),
)
_READ = (
    *("etag", "location", "retry-after", "ratelimit", "ratelimit-policy"),
    *(REPLAYED_HEADER, REQUEST_ID_HEADER),
)


def install_layers(app: FastAPI, settings: Settings) -> None:
    """The last one added is the outermost."""
    app.add_middleware(Idempotency)
    app.add_middleware(BodyLimit, bytes_max=settings.api_body_bytes_max)
    app.add_middleware(CsrfGuard, own_url=settings.api_public_url, origins=settings.cors_origins)
    app.add_middleware(RateLimits)
    app.add_middleware(LastAnswer)
    if settings.cors_origins:
        app.add_middleware(
            Cors,
            allow_origins=list(settings.cors_origins),
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=list(_SENT),
            expose_headers=list(_READ),
            allow_credentials=True,
            max_age=CORS_MAX_AGE_SECONDS,
        )
    app.add_middleware(SecurityHeaders)
    app.add_middleware(RequestContext)
