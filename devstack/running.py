"""A stack with API and workers for the length of a command."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from devstack.part import Part
from devstack.stack import Stack
from infra.settings import Settings

UNDER_WAY = ("starting", "checking")


@contextmanager
def running_stack(
    run_dir: Path,
    console: Console,
    *,
    with_apps: bool = True,
    environ: Mapping[str, str] | None = None,
    apps: Sequence[Part] | None = None,
    alone: bool = False,
) -> Iterator[tuple[Stack, dict[str, str]]]:
    """The stack of a run directory, with its environment.

    What `make up` has left running is used and left running; what had to be started is
    stopped at the end, whatever happens in between. `environ` goes before the process' own; `apps`
    are our own processes where they are not those of `devstack/apps.py`. `alone`: no setting and no
    real service that the process' environment names is used.
    """
    signal.signal(signal.SIGTERM, _leave)
    report = _reporter(console)
    settings = {name.upper() for name in Settings.model_fields} if alone else set()
    own = {name: value for name, value in os.environ.items() if name not in settings}
    environ = {"WORKER_MEDIA_SLOTS": "1", **own, **(environ or {})}
    stack = Stack(run_dir, environ=environ, apps=apps)
    try:
        with console.status("starting the stack …"):
            stack.start(report=report)
            stack.migrate()
            if with_apps:
                stack.start_apps(report=report)
        yield stack, dict(stack.environment)
    finally:
        stack.stop_started()


def _reporter(console: Console) -> Callable[[str, str], None]:
    """Prints a line for each part once it has arrived where it stays."""
    started = time.monotonic()

    def report(name: str, state: str) -> None:
        if state not in UNDER_WAY:
            seconds = time.monotonic() - started
            console.print(f"  {name:<16} {state} [dim]after {seconds:.1f} s[/]", highlight=False)

    return report


def _leave(number: int, _: object) -> None:
    """SIGTERM ends the command as Ctrl-C does: by way of every `finally`."""
    raise SystemExit(128 + number)
