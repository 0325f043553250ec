"""Is the process alive, can it serve, and how does it do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Literal

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from api.parts import ApiParts, Parts
from infra.migrations.state import FOUND, DatabaseBehind, check_revision

CHECK_SECONDS = 2.0
_ESSENTIAL = frozenset({"postgres"})
"""Without these nothing can be answered. While another part is away, most requests still
can: taking every replica out of service then would turn a partial outage into a full one."""

router = APIRouter(tags=["health"])


class CheckBody(BaseModel):
    ok: bool
    milliseconds: float
    error: str | None = None


class ReadinessBody(BaseModel):
    """`degraded`: the API answers, but what needs a failed part does not work."""

    status: Literal["ok", "degraded", "failed"]
    checks: dict[str, CheckBody]


class LivenessBody(BaseModel):
    status: Literal["ok"] = "ok"


@router.get("/livez", operation_id="live")
async def live() -> LivenessBody:
    """The process answers."""
    return LivenessBody()


@router.get("/readyz", operation_id="ready", responses={503: {"model": ReadinessBody}})
async def ready(request: Request, response: Response, parts: ApiParts) -> ReadinessBody:
    """Asks each part, at the same time and for two seconds at most; says which failed.

    503 only without Postgres, with a database that is older than this release, and of a process
    that was told to stop. `degraded` with 200 while Valkey, storage or Temporal is away.
    """
    if request.app.state.is_stopping:
        response.status_code = 503
        stopping = CheckBody(ok=False, milliseconds=0, error="it was told to stop")
        return ReadinessBody(status="failed", checks={"process": stopping})
    asked = {
        "postgres": lambda: _ask_postgres(parts),
        "valkey": lambda: _ask_valkey(parts),
        "storage": lambda: to_thread.run_sync(parts.storage.check, abandon_on_cancel=True),
        "temporal": lambda: _ask_temporal(parts),
    }
    answers = await asyncio.gather(*(_check(ask) for ask in asked.values()))
    checks = dict(zip(asked, answers, strict=True))
    failed = {name for name, check in checks.items() if not check.ok}
    if failed & _ESSENTIAL:
        response.status_code = 503
        return ReadinessBody(status="failed", checks=checks)
    return ReadinessBody(status="degraded" if failed else "ok", checks=checks)


@router.get("/metrics", operation_id="metrics", response_class=Response)
async def metrics() -> Response:
    """Prometheus metrics, by route template."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def _check(ask: Callable[[], Awaitable[object]]) -> CheckBody:
    begun = time.perf_counter()
    error: str | None = None
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await ask()
    except TimeoutError:
        error = f"no answer within {CHECK_SECONDS:g} s"
    except DatabaseBehind as behind:
        error = str(behind)
    except Exception as fault:  # Any: each part's client has errors of its own.
        # The kind only: messages of drivers carry addresses and user names.
        error = type(fault).__name__
    milliseconds = round((time.perf_counter() - begun) * 1000, 1)
    return CheckBody(ok=error is None, milliseconds=milliseconds, error=error)


async def _ask_postgres(parts: Parts) -> object:
    row = await parts.reads.fetch_one(FOUND.encode(), {})
    check_revision(row[0] if row is not None else None)
    return row


async def _ask_valkey(parts: Parts) -> object:
    return await parts.valkey.ping()


async def _ask_temporal(parts: Parts) -> object:
    return await parts.temporal.service_client.check_health()
