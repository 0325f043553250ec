"""What leaves a process about itself, from its start to its end: traces and errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from infra.reporting import report, start_reporting
from infra.settings import Settings
from infra.spans import start_tracing


@contextmanager
def watching(settings: Settings, *, service: str) -> Iterator[None]:
    """Around a process' work. An error that ends the process is reported, too."""
    stop_tracing = start_tracing(settings, service=service)
    stop_reporting = start_reporting(settings, service=service)
    try:
        yield
    except Exception as error:
        report(error, where=service)
        raise
    finally:
        stop_reporting()
        stop_tracing()
