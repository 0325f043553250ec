"""New row ids: version 7 UUIDs, so that rows made together lie together in an index."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from domain.ids import uuid7_from

Draw = Callable[[], str]


def new_id() -> str:
    return _draw.get()()


def _from_clock_and_chance() -> str:
    return uuid7_from(unix_ms=time.time_ns() // 1_000_000, entropy=os.urandom(10))


_draw: ContextVar[Draw] = ContextVar("draw_id", default=_from_clock_and_chance)


@contextmanager
def ids_drawn_by(draw: Draw) -> Iterator[None]:
    """Have `new_id` ask `draw` in here, where a history has to be repeated id for id."""
    token = _draw.set(draw)
    try:
        yield
    finally:
        _draw.reset(token)
