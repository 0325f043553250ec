"""A stack with API and workers for the length of a command."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from devstack.stack import Stack


@contextmanager
def running_stack(
    run_dir: Path, console: Console, *, with_apps: bool = True
) -> Iterator[tuple[Stack, dict[str, str]]]:
    """The stack of a run directory, with its environment.

    What `make up` has left running is used and left running; what had to be started is
    stopped at the end, whatever happens in between.
    """
    signal.signal(signal.SIGTERM, _leave)
    environ = {"WORKER_MEDIA_SLOTS": "1", **os.environ}
    with Stack(run_dir, environ=environ) as stack:
        with console.status("starting the stack …"):
            stack.start(report=lambda name, state: console.log(f"{name}: {state}"))
            stack.migrate()
            if with_apps:
                stack.start_apps(report=lambda name, state: console.log(f"{name}: {state}"))
        yield stack, dict(stack.environment)


def _leave(number: int, _: object) -> None:
    """SIGTERM ends the command as Ctrl-C does: by way of every `finally`."""
    raise SystemExit(128 + number)
