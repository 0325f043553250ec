"""What is told of each child once it has ended: to the metrics, and to whoever listens.

Listeners are called in the thread that wanted the child, so they know for which step it was.
Of its arguments nothing is told: file names are in them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from domain.errors import FansworldError
from infra.metrics.measures import child_cpu_seconds, child_seconds
from infra.sandbox.limits import Usage


@dataclass(slots=True)
class ChildRun:
    """One child from before its start until it is reaped."""

    program: str
    """`ffmpeg`, or the function that a forked child was to call."""
    begun_ns: int
    """Unix time."""
    usage: Usage | None = None
    """None where it never ran, or its end was not reported."""
    exit_code: int | None = None
    """None where a signal, a limit or the caller ended it."""
    outcome: str = "ended"
    """`ended` by itself, else the code of the error that says why not."""
    seconds: float = 0


LISTENERS: list[Callable[[ChildRun], object]] = []


@contextmanager
def telling_of(program: str) -> Iterator[ChildRun]:
    """The block runs one child, and writes down what it learns of it."""
    run = ChildRun(Path(program).name, time.time_ns())
    begun = time.monotonic()
    try:
        yield run
    except FansworldError as error:
        run.outcome = error.code
        raise
    except BaseException:
        run.outcome = "interrupted"
        raise
    finally:
        run.seconds = time.monotonic() - begun
        _tell(run)


def _tell(run: ChildRun) -> None:
    child_seconds.observe(run.seconds, program=run.program, outcome=run.outcome)
    if run.usage is not None:
        child_cpu_seconds.observe(run.usage.cpu_seconds, program=run.program)
    for listener in LISTENERS:
        listener(run)
