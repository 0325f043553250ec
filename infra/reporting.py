"""Unexpected errors, told to Sentry where `SENTRY_DSN` says where that is.

An event is put together from what may leave the house, and nothing else is there to be taken
out again: kinds of errors, the functions they came through, and ids by which the log has the
rest. Messages of errors stay here (Postgres quotes e-mail addresses in them), and so do
requests with their headers and bodies, local variables, lines of code, and the machine's name.

What the platform foresees is no error: refused files, problems below 500, cards that were
declined, and parts that are away, which have alerts.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import sentry_sdk
import sqlalchemy.exc
import structlog
from redis.exceptions import RedisError
from temporalio.service import RPCError, RPCStatusCode

from domain.errors import FansworldError
from infra.settings import Settings

ROOT = Path(__file__).parents[1]
CONTEXT_TAGS = ("request_id", "trace_id", "span_id", "workflow_id", "run_id")
CHAIN_MAX = 10
SEND_SECONDS = 3.0

_FORESEEN = (
    FansworldError,
    psycopg.OperationalError,
    sqlalchemy.exc.OperationalError,
    sqlalchemy.exc.TimeoutError,
    RedisError,
    TimeoutError,
    ConnectionError,
)
_AWAY = frozenset(
    {RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED}
)

_client: sentry_sdk.Client | None = None


def start_reporting(settings: Settings, *, service: str) -> Callable[[], None]:
    """Report errors of this process from now on.

    Returns:
        What ends it: sends what is left, within seconds. Safe to call where nothing was begun.
    """
    global _client
    if settings.sentry_dsn is None:
        return lambda: None
    _client = sentry_sdk.Client(
        dsn=settings.sentry_dsn.get_secret_value(),
        environment=settings.environment,
        release=settings.release,
        server_name=service,
        # Integrations would collect what this module leaves out on purpose.
        default_integrations=False,
        auto_enabling_integrations=False,
        include_local_variables=False,
        include_source_context=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        traces_sample_rate=None,
        send_client_reports=False,
        auto_session_tracking=False,
    )
    return _stop


def _stop() -> None:
    global _client
    if _client is not None:
        _client.close(timeout=SEND_SECONDS)
        _client = None


def report(error: BaseException, *, where: str, **tags: str) -> None:
    """Tell of an error that nobody foresaw. Returns at once; the sending is a thread's.

    Args:
        where: a route's template or the name of a step, never a path with ids.
    """
    if _client is None or _is_foreseen(error):
        return
    context = structlog.contextvars.get_contextvars()
    known = {name: str(context[name]) for name in CONTEXT_TAGS if name in context}
    _client.capture_event(
        {
            "level": "error",
            "platform": "python",
            "transaction": where,
            "tags": {**known, **tags},
            "exception": {"values": [_told(each) for each in reversed(list(_chain(error)))]},
        }
    )


def _is_foreseen(error: BaseException) -> bool:
    """One of our own, or a part that is away."""
    return isinstance(error, _FORESEEN) or (isinstance(error, RPCError) and error.status in _AWAY)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what led to it, as a traceback would show them."""
    current: BaseException | None = error
    seen: set[int] = set()
    while current is not None and id(current) not in seen and len(seen) < CHAIN_MAX:
        seen.add(id(current))
        yield current
        hidden = current.__suppress_context__
        current = current.__cause__ or (None if hidden else current.__context__)


def _told(error: BaseException) -> dict[str, Any]:
    kind = type(error)
    frames = [
        {
            "function": frame.f_code.co_qualname,
            "module": frame.f_globals.get("__name__", ""),
            "filename": _relative(frame.f_code.co_filename),
            "lineno": line,
            "in_app": Path(frame.f_code.co_filename).is_relative_to(ROOT)
            and "site-packages" not in frame.f_code.co_filename,
        }
        for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    return {"type": kind.__name__, "module": kind.__module__, "stacktrace": {"frames": frames}}


def _relative(filename: str) -> str:
    path = Path(filename)
    if "site-packages" in path.parts:
        return "/".join(path.parts[path.parts.index("site-packages") + 1 :])
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name
