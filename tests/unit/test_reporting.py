"""What Sentry is told of an error of the API: where and what it was, and nothing about anybody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
import sqlalchemy.exc
from fastapi import FastAPI, Request
from pydantic import SecretStr
from temporalio.service import RPCError, RPCStatusCode

from api.middleware import LastAnswer, RequestContext
from api.problems import install_problem_handlers
from domain.errors import NotFound, Unavailable
from infra.reporting import report, start_reporting
from infra.watching import watching
from tests.harness.sentry import Sentry, sentry_on_loopback
from tests.workflows.configured import settings_of

PLANTED = {
    "authorization": "Bearer planted-token",
    "cookie": "session=planted-cookie",
    "idempotency-key": "planted-idempotency-key",
    "x-forwarded-for": "203.0.113.77",
    "user-agent": "planted-agent",
}
SECRETS = (
    *("planted", "203.0.113.77", "ada@example.com", "ada.l", "sk_live_51", "whsec_", "pi_3_secret"),
)


def _application() -> FastAPI:
    app = FastAPI(telemetry={"tracing": False, "metrics": False, "logs": False})
    install_problem_handlers(app)

    @app.post("/fans/{handle}/crash")
    async def crash(handle: str, request: Request) -> None:
        card = {"client_secret": "pi_3_secret_9", "email": "ada@example.com"}
        body = await request.body()
        try:
            raise KeyError(f"duplicate key (email)=(ada@example.com) {card} {body!r}")
        except KeyError as error:
            raise ValueError(f"{handle}: sk_live_51abc whsec_1 {request.headers}") from error

    @app.get("/missing")
    async def missing() -> None:
        raise NotFound("There is no such thing.")

    @app.get("/away")
    async def away() -> None:
        raise Unavailable("Stripe did not answer.")

    app.add_middleware(LastAnswer)
    app.add_middleware(RequestContext)
    return app


async def _told_of(sentry: Sentry, method: str, path: str) -> int:
    settings = settings_of(
        sentry_dsn=SecretStr(sentry.dsn), environment="test", release="2026.11.1"
    )
    stop_reporting = start_reporting(settings, service="fansworld-api")
    try:
        transport = httpx.ASGITransport(app=_application())
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            answer = await client.request(
                method,
                path,
                headers={**PLANTED, "x-request-id": "request-0042"},
                content=b"planted-body ada@example.com",
            )
    finally:
        stop_reporting()
    return answer.status_code


def _keys(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*map(_keys, value.values()))
    if isinstance(value, list):
        return set().union(*map(_keys, value))
    return set()


async def test_a_crash_is_told_with_its_place_and_its_ids_and_with_nothing_planted() -> None:
    with sentry_on_loopback() as sentry:
        status = await _told_of(sentry, "POST", "/fans/ada.l/crash?ticket=planted-ticket")
    assert status == 500
    (event,) = sentry.events
    assert event["tags"]["request_id"] == "request-0042"
    assert len(event["tags"]["trace_id"]) == 32
    assert event["transaction"] == "/fans/{handle}/crash"
    assert (event["environment"], event["release"]) == ("test", "2026.11.1")
    cause, error = event["exception"]["values"]
    assert (cause["type"], error["type"]) == ("KeyError", "ValueError")
    assert error["stacktrace"]["frames"][-1]["function"].endswith("crash")
    files = [frame["filename"] for told in (cause, error) for frame in told["stacktrace"]["frames"]]
    assert not any(Path(name).is_absolute() for name in files), "where it lies is ours to know"
    sent = b"".join(sentry.raw).decode()
    for secret in SECRETS:
        assert secret not in sent, secret
    # Nor has it room for any.
    assert _keys(event).isdisjoint(
        {"request", "user", "extra", "breadcrumbs", "vars", "value", "context_line", "modules"}
    )
    assert event["server_name"] == "fansworld-api"


@pytest.mark.parametrize(("path", "status"), [("/missing", 404), ("/away", 503), ("/none", 404)])
async def test_what_is_foreseen_is_told_nobody(path: str, status: int) -> None:
    with sentry_on_loopback() as sentry:
        assert await _told_of(sentry, "GET", path) == status
    assert sentry.events == []


AWAY = (
    sqlalchemy.exc.OperationalError("SELECT 1", {}, Exception("gone")),
    RPCError("gone", RPCStatusCode.UNAVAILABLE, b""),
    ConnectionRefusedError(),
    TimeoutError(),
)


def test_of_a_part_that_is_away_only_alerts_tell() -> None:
    with sentry_on_loopback() as sentry:
        settings = settings_of(sentry_dsn=SecretStr(sentry.dsn))
        stop_reporting = start_reporting(settings, service="fansworld-worker")
        for error in AWAY:
            report(error, where="publish_media")
        report(RPCError("what?", RPCStatusCode.INVALID_ARGUMENT, b""), where="publish_media")
        stop_reporting()
    (event,) = sentry.events
    assert event["exception"]["values"][0]["type"] == "RPCError"


def test_an_error_that_ends_a_process_is_told_before_it_ends() -> None:
    with sentry_on_loopback() as sentry:
        settings = settings_of(sentry_dsn=SecretStr(sentry.dsn))
        with (
            pytest.raises(ZeroDivisionError),
            watching(settings, service="fansworld-monitor"),
        ):
            _ = 1 // 0
    (event,) = sentry.events
    assert event["exception"]["values"][0]["type"] == "ZeroDivisionError"


def test_without_an_address_nothing_is_begun() -> None:
    start_reporting(settings_of(), service="fansworld-api")()
