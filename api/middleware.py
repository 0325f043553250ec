"""What happens to every request before and after its route: pure ASGI, one layer each.

RequestContext   request id, trace, log line, metrics
SecurityHeaders  what browsers may do with an answer
LastAnswer       503 or 500 for faults that no handler has taken
BodyLimit        413 before or while a body is read
"""

from __future__ import annotations

import re
import time
import uuid
from contextlib import nullcontext

import structlog
from prometheus_client import Counter, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import (
    LOST_PARTS,
    lost_part_problem,
    problem_response,
    unforeseen_problem,
)
from infra.reporting import report
from infra.spans import name_request, request_span
from infra.tracing import begin_trace

REQUEST_ID_HEADER = "x-request-id"
TRACEPARENT_HEADER = "traceparent"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_QUIET_ROUTES = frozenset({"/livez", "/readyz", "/metrics"})

requests_total = Counter(
    "fansworld_http_requests_total", "Requests by route template.", ["method", "route", "status"]
)
request_seconds = Histogram(
    "fansworld_http_request_seconds",
    "Time until the last byte was handed to the server; event streams are left out.",
    ["method", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
log = structlog.get_logger(__name__)


class RequestContext:
    """Gives each request an id that its logs and its answer carry, and counts it.

    A client's own `X-Request-Id` is taken if it is 8 to 64 plain characters, and its trace is
    gone on with (`traceparent`); runs that the request starts carry both.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get(REQUEST_ID_HEADER, "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        scope["request_id"] = request_id
        status = 0
        begun = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = request_id
            await send(message)

        structlog.contextvars.clear_contextvars()
        traceparent = headers.get(TRACEPARENT_HEADER)
        with (
            nullcontext()
            if scope["path"] in _QUIET_ROUTES
            else request_span(scope["method"], request_id, traceparent)
        ) as span:
            begin_trace(request_id, traceparent)
            try:
                await self._app(scope, receive, send_with_id)
            finally:
                self._record(scope, status, time.perf_counter() - begun)
                if span is not None:
                    name_request(
                        span, method=scope["method"], route=route_template(scope), status=status
                    )

    @staticmethod
    def _record(scope: Scope, status: int, seconds: float) -> None:
        route = route_template(scope)
        requests_total.labels(scope["method"], route, status).inc()
        if not route.endswith("/events"):
            request_seconds.labels(scope["method"], route).observe(seconds)
        if route not in _QUIET_ROUTES:
            # The path and no query: playback addresses carry tickets there.
            log.info(
                "request",
                method=scope["method"],
                path=scope["path"],
                route=route,
                status=status,
                milliseconds=round(seconds * 1000, 1),
            )


def route_template(scope: Scope) -> str:
    """`/api/v1/media/{media_id}`, so that metrics don't grow with ids."""
    return getattr(scope.get("route"), "path", None) or "unmatched"


class SecurityHeaders:
    """Nothing here is a page to be framed, sniffed or kept by a cache in between."""

    _ALWAYS = (
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("strict-transport-security", "max-age=63072000; includeSubDomains"),
        ("cross-origin-resource-policy", "cross-origin"),
    )
    _UNLESS_SET = (
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ("cache-control", "private, no-store"),
    )

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._ALWAYS:
                    headers[name] = value
                for name, value in self._UNLESS_SET:
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)


class LastAnswer:
    """Answers what no handler foresaw. Inside of id, headers and CORS, so that this answer has
    them as every other; outside of all that may fail."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False

        async def send_noting(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_noting)
        except LOST_PARTS as error:
            if has_begun or scope["type"] != "http":
                raise
            # Raised by a layer: routes have handlers for it.
            await lost_part_problem(Request(scope), error)(scope, receive, send)
        except Exception as error:
            # Whatever it is, this request is over: log it whole, tell the client nothing of it.
            log.exception("request_crashed", method=scope.get("method"), path=scope.get("path"))
            report(error, where=route_template(scope), method=str(scope.get("method")))
            if has_begun or scope["type"] != "http":
                raise  # half an answer is out; only closing the connection tells so
            await unforeseen_problem(Request(scope))(scope, receive, send)


class BodyLimit:
    """Refuses bodies above `bytes_max`: at once by their declared length, else while read."""

    def __init__(self, app: ASGIApp, *, bytes_max: int) -> None:
        self._app = app
        self._bytes_max = bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared) > self._bytes_max:
            response = problem_response(
                Request(scope),
                status=413,
                code="body_too_large",
                detail=self._detail,
                facts={"limit_bytes": self._bytes_max},
            )
            await response(scope, receive, send)
            return
        arrived = 0

        async def receive_counted() -> Message:
            nonlocal arrived
            message = await receive()
            if message["type"] == "http.request":
                arrived += len(message.get("body", b""))
                if arrived > self._bytes_max:
                    # The route is reading; its error handlers turn this into a problem.
                    raise HTTPException(413, self._detail)
            return message

        await self._app(scope, receive_counted, send)

    @property
    def _detail(self) -> str:
        return f"A request body may have up to {self._bytes_max} bytes."
