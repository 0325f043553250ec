"""Problem details (RFC 9457): the one place where an error becomes an answer.

Every answer with a status of 400 or above has this form, whoever made it: a route, the
validation of a request, the router (404, 405), or a fault that nobody foresaw (500).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
import psycopg
import sqlalchemy.exc
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from domain.access import Offer, OfferKind
from domain.errors import (
    AccessDenied,
    Conflict,
    Fact,
    FansworldError,
    Gone,
    Invalid,
    MediaRejected,
    NotFound,
    PaymentRequired,
    PreconditionFailed,
    QuotaExceeded,
    RateLimited,
    StepBlocked,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnsupportedType,
)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5
LOST_PARTS = (
    psycopg.OperationalError,
    sqlalchemy.exc.OperationalError,
    sqlalchemy.exc.TimeoutError,
    RedisError,
)
"""What is raised where Postgres or Valkey does not answer, or has no connection left for us."""
_INNER_FACTS = frozenset({"bucket", "key", "storage_code", "status"})
"""Facts for operators: where things lie inside is nobody else's matter."""

log = structlog.get_logger(__name__)


class PreconditionRequired(FansworldError):
    """An edit came without `If-Match`."""

    code = "precondition_required"


class IdempotencyKeyMissing(FansworldError):
    """A request that moves money came without an `Idempotency-Key`."""

    code = "idempotency_key_missing"


class FieldError(BaseModel):
    """One value that breaks a rule."""

    pointer: str = Field(
        description="JSON pointer into the body (`#/title`), or `query:limit`, `path:media_id`, "
        "`header:if-match`.",
        examples=["#/size_bytes"],
    )
    code: str = Field(examples=["greater_than"])
    detail: str = Field(examples=["Input should be greater than 0"])


class OfferBody(BaseModel):
    """What would open a locked post, message or media. Prices in minor units of `currency`."""

    kind: OfferKind
    creator_id: str
    media_id: str | None = None
    post_id: str | None = None
    message_id: str | None = None
    tier_id: str | None = None
    price_minor: int | None = Field(default=None, description="For the caller.")
    list_minor: int | None = Field(
        default=None, description="For others, where the caller has something off."
    )
    currency: str | None = Field(default=None, examples=["USD"])

    @classmethod
    def of(cls, offer: Offer) -> OfferBody:
        return cls(
            kind=offer.kind,
            creator_id=offer.creator_id,
            media_id=offer.media_id,
            post_id=offer.post_id,
            message_id=offer.message_id,
            tier_id=offer.tier_id,
            price_minor=offer.price_minor,
            list_minor=offer.list_minor,
            currency=offer.currency,
        )


class Problem(BaseModel):
    """An error as RFC 9457 describes it; `code` is stable and machine-readable."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:fansworld:problem:file_too_large",
                    "title": "Content Too Large",
                    "status": 413,
                    "detail": "The file has 60000000 bytes; image files may have up to …",
                    "instance": "/api/v1/uploads",
                    "code": "file_too_large",
                    "request_id": "0192f0c1e3f84b0d9a4f5f5d8e1c2b3a",
                    "facts": {"size_bytes": 60000000, "limit_bytes": 52428800},
                }
            ]
        }
    )

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str | None = None
    facts: dict[str, Any] | None = Field(
        default=None, description="The numbers and names behind the code."
    )
    errors: list[FieldError] | None = None
    offers: list[OfferBody] | None = Field(
        default=None, description="With 402: what would open the media."
    )


_STATUS: tuple[tuple[type[FansworldError], int], ...] = (
    (Unauthenticated, 401),
    (PaymentRequired, 402),
    (AccessDenied, 403),
    (NotFound, 404),
    (Conflict, 409),
    (Gone, 410),
    (PreconditionFailed, 412),
    (PreconditionRequired, 428),
    (IdempotencyKeyMissing, 400),
    (TooLarge, 413),
    (UnsupportedType, 415),
    (QuotaExceeded, 409),
    (Invalid, 422),
    (MediaRejected, 422),
    (StepBlocked, 409),
    (RateLimited, 429),
    (Unavailable, 503),
)
"""First match counts, so a subclass stands before its base."""


def status_of(error: FansworldError) -> int:
    for kind, status in _STATUS:
        if isinstance(error, kind):
            return status
    return 500


def problem_response(
    request: Request,
    *,
    status: int,
    code: str,
    detail: str,
    facts: Mapping[str, Fact] | None = None,
    errors: Sequence[FieldError] | None = None,
    offers: Sequence[Offer] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    body = _problem(
        request,
        status=status,
        code=code,
        detail=detail,
        facts=facts,
        errors=errors,
        offers=offers,
    )
    return _answer(body, headers)


def problem_body(
    request: Request, error: FansworldError, *, instance: str | None = None
) -> Problem:
    """An error of ours as a client is told of it; `instance` where that is not the request's."""
    return _problem(
        request,
        status=status_of(error),
        code=error.code,
        detail=error.message,
        facts=error.facts,
        offers=error.offers if isinstance(error, PaymentRequired) else None,
        instance=instance,
    )


def _problem(
    request: Request,
    *,
    status: int,
    code: str,
    detail: str,
    facts: Mapping[str, Fact] | None = None,
    errors: Sequence[FieldError] | None = None,
    offers: Sequence[Offer] | None = None,
    instance: str | None = None,
) -> Problem:
    shown = {name: value for name, value in (facts or {}).items() if name not in _INNER_FACTS}
    return Problem(
        type=f"urn:fansworld:problem:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        instance=instance or request.url.path,
        code=code,
        request_id=request.scope.get("request_id"),
        facts=shown or None,
        errors=list(errors) if errors else None,
        offers=None if offers is None else [OfferBody.of(offer) for offer in offers],
    )


def _answer(body: Problem, headers: Mapping[str, str] | None) -> Response:
    return Response(
        orjson.dumps(body.model_dump(exclude_none=True)),
        status_code=body.status,
        media_type=MEDIA_TYPE,
        headers={"cache-control": "no-store", **(headers or {})},
    )


def install_problem_handlers(app: FastAPI) -> None:
    """Answer every error of the application with problem details."""
    app.add_exception_handler(FansworldError, _on_own_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_error)
    for fault in LOST_PARTS:
        app.add_exception_handler(fault, _on_lost_part)


async def _on_own_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, FansworldError)
    return problem_of(request, error)


def problem_of(request: Request, error: FansworldError) -> Response:
    """The answer to an error of ours; for what stands outside of the error handlers too."""
    body = problem_body(request, error)
    if body.status >= 500:
        log.warning("request_failed", code=error.code, why=error.message, **error.facts)
    return _answer(body, _headers_for(body.status, error))


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [
        FieldError(pointer=_pointer(item["loc"]), code=item["type"], detail=item["msg"])
        for item in error.errors()
    ]
    named = ", ".join(dict.fromkeys(each.pointer for each in errors))
    return problem_response(
        request,
        status=422,
        code="invalid_request",
        detail=f"The request breaks the rules of this route at: {named}.",
        errors=errors,
    )


async def _on_http_error(request: Request, error: Exception) -> Response:
    """What the router and the framework refuse by themselves."""
    assert isinstance(error, HTTPException)
    code, detail = {
        404: ("route_unknown", "There is no such route."),
        405: ("method_not_allowed", f"{request.method} is not possible here."),
        413: ("body_too_large", str(error.detail)),
    }.get(error.status_code, ("bad_request", str(error.detail)))
    return problem_response(
        request, status=error.status_code, code=code, detail=detail, headers=error.headers
    )


async def _on_lost_part(request: Request, error: Exception) -> Response:
    return lost_part_problem(request, error)


def lost_part_problem(request: Request, error: Exception) -> Response:
    """The answer to one of `LOST_PARTS`; for what stands outside of the error handlers too."""
    part = "valkey" if isinstance(error, RedisError) else "database"
    log.warning("request_failed", code=f"{part}_unavailable", why=str(error).strip())
    return problem_response(
        request,
        status=503,
        code=f"{part}_unavailable",
        detail="A part that this request needs did not answer. Try again.",
        headers=_headers_for(503),
    )


def unforeseen_problem(request: Request) -> Response:
    """The answer to a fault that nobody foresaw; its cause is in the log only."""
    return problem_response(
        request,
        status=500,
        code="internal_error",
        detail="Something failed on our side. The request id helps us to find it.",
    )


def _headers_for(status: int, error: FansworldError | None = None) -> dict[str, str]:
    if isinstance(error, RateLimited):
        return {"retry-after": str(error.retry_after_seconds)}
    if status == 401:
        return {"www-authenticate": "Bearer"}
    if status == 503:
        return {"retry-after": str(RETRY_AFTER_SECONDS)}
    return {}


def _pointer(loc: Sequence[Any]) -> str:
    place, *steps = loc
    if place == "body":
        return "#" + "".join(f"/{_escaped(step)}" for step in steps)
    return f"{place}:{'.'.join(str(step) for step in steps)}"


def _escaped(step: object) -> str:
    """RFC 6901 §3."""
    return str(step).replace("~", "~0").replace("/", "~1")


PROBLEMS: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "Problem details (RFC 9457).",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
}
"""For OpenAPI: what every route answers when it does not succeed."""
