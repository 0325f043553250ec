"""Run one confined command to its end, and leave nothing behind whatever happens.

The calling thread may be interrupted at any bytecode: Temporal cancels a sync activity by
raising in its thread. So the process belongs to a keeper thread, which alone starts, reads,
ends and reaps it. The caller hears lines, and on any way out tells the keeper to end the
child.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from infra.sandbox.errors import ChildCancelled
from infra.sandbox.keeper import POLL_SECONDS, Keeper
from infra.sandbox.limits import CommandResult, Limits
from infra.sandbox.telling import telling_of


def run_command(
    argv: Sequence[str],
    *,
    limits: Limits,
    cwd: Path,
    on_line: Callable[[str], object] | None = None,
    cancel: threading.Event | None = None,
    tick: Callable[[], object] | None = None,
    environment: Mapping[str, str] | None = None,
    stdout_bytes_max: int = 8 * 1024 * 1024,
) -> CommandResult:
    """Run `argv` confined in `cwd`; return when it has ended and is reaped.

    With `on_line`, each line of stdout is handed over in the calling thread as it comes;
    without it, stdout is returned whole. `tick` is called in the calling thread at least
    ten times a second. What either raises ends the child and is passed on, and so is what
    another thread raises in this one. The environment is minimal plus `environment`.

    Raises:
        ChildTimedOut, ChildStalled, ChildOutOfMemory, ChildWroteTooMuch, ChildKilled: a
            limit was hit, or a signal ended it.
        ChildCancelled: `cancel` was set.
        ChildLost: it could not be started; the message says why.
    """
    keeper = Keeper(
        argv,
        limits=limits,
        cwd=cwd,
        environment=_clean_environment(cwd) | dict(environment or {}),
        streaming=on_line is not None,
        stdout_bytes_max=stdout_bytes_max,
    )
    with telling_of(argv[0]) as run:
        try:
            keeper.start()
            _follow(keeper, on_line, cancel, tick)
        finally:
            keeper.end(ChildCancelled("the caller was interrupted"))
            keeper.join()
            run.usage = keeper.usage
        result = keeper.outcome()
        run.exit_code = result.returncode
        return result


def _follow(
    keeper: Keeper,
    on_line: Callable[[str], object] | None,
    cancel: threading.Event | None,
    tick: Callable[[], object] | None,
) -> None:
    while True:
        try:
            line = keeper.lines.get(timeout=POLL_SECONDS)
        except queue.Empty:
            pass
        else:
            if line is None:
                return
            if on_line is not None:
                on_line(line)
        if tick is not None:
            tick()
        if cancel is not None and cancel.is_set():
            keeper.end(ChildCancelled("the caller cancelled"))


def _clean_environment(cwd: Path) -> dict[str, str]:
    return {
        "PATH": f"/usr/local/bin:{os.defpath}",
        "LANG": "C.UTF-8",
        "HOME": str(cwd),
        "TMPDIR": str(cwd),
        # An arena of 64 MB of address space for each thread would eat the memory limit.
        "MALLOC_ARENA_MAX": "2",
    }
