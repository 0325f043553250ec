"""Logs as one JSON object a line, and who they are about.

`bound(...)` puts ids (request, workflow, run) into the context; every line written inside
carries them, whichever module writes it.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.types import EventDict, Processor

from infra.settings import Settings
from infra.spans import current_ids

_QUIET = (
    "botocore",
    "boto3",
    "urllib3",
    "s3transfer",
    "uvicorn.access",
    "pyvips",
    "temporalio.worker",
)
"""Libraries that tell every request at INFO."""


def configure_logging(settings: Settings) -> None:
    """Send structlog and the standard library's loggers to stdout in one form."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _add_span,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(settings.log_level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_rendering(settings),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _add_span(_logger: object, _method: str, event: EventDict) -> EventDict:
    """The span that is under way goes before that of the request it is for."""
    event.update(current_ids())
    return event


@contextmanager
def bound(**ids: str | None) -> Iterator[None]:
    """Put ids that are known into every line written inside."""
    known = {name: value for name, value in ids.items() if value is not None}
    with structlog.contextvars.bound_contextvars(**known):
        yield


def _rendering(settings: Settings) -> list[Processor]:
    if settings.log_format == "console":
        return [structlog.dev.ConsoleRenderer()]
    return [
        # No locals: they hold keys and whole settings.
        structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
        structlog.processors.JSONRenderer(serializer=_as_json),
    ]


def _as_json(event: dict[str, Any], **_: Any) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
