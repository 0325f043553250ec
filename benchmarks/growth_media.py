"""Small pictures, more and more of them ordered at once."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import psycopg
from rich.console import Console

from benchmarks.growth_points import Point
from benchmarks.ingest import BareLoop
from benchmarks.material import photo_jpeg
from benchmarks.pictures import lay_ready, wait_until_ready
from benchmarks.processor import processor_seconds
from benchmarks.sides import Ours, our_workers
from devstack.people import ensure_person
from devstack.running import running_stack
from devstack.stack import Stack, settings_from
from domain.accounts import Role
from infra.db import make_engine
from infra.sandbox import Zygote
from infra.storage import Storage
from infra.temporal import connect

SIZES = (1, 10, 100, 1000)
ROUNDS_OF = {1: 3, 10: 3, 100: 2, 1000: 1}
"""A thousand are a mean of many by themselves."""
PIXELS = 100_000
WARM = 10
BARE = 50
SECONDS = "seconds a picture"
PROCESSOR = "processor seconds a picture"
BARE_SECONDS = "bare render, seconds a picture"
BARE_PROCESSOR = "bare render, processor seconds a picture"


def measure(rounds: int) -> list[Point]:
    """Each figure at each size; the sizes and the bare render in turn, round after round."""
    found: dict[tuple[str, int], list[float]] = {}
    with ExitStack() as opened:
        bench = _Bench(opened)
        bench.through_everything(WARM)
        bench.bare(WARM)
        for number in range(max(min(ROUNDS_OF[size], rounds) for size in SIZES)):
            bare = bench.bare(BARE)
            for size in SIZES:
                if number >= ROUNDS_OF[size]:
                    continue
                mine = bench.through_everything(size)
                for what, value in zip(
                    (SECONDS, PROCESSOR, BARE_SECONDS, BARE_PROCESSOR), (*mine, *bare), strict=True
                ):
                    found.setdefault((what, size), []).append(value)
    return [
        Point("media", what, size, tuple(values), "s") for (what, size), values in found.items()
    ]


class _Bench:
    """Our workers on a stack of their own, and the bare loop beside it."""

    def __init__(self, opened: ExitStack) -> None:
        folder = Path(
            opened.enter_context(
                tempfile.TemporaryDirectory(prefix="fansworld-bench-", ignore_cleanup_errors=True)
            )
        )
        self._stack, environment = opened.enter_context(
            running_stack(
                folder, Console(quiet=True), environ={"LOG_LEVEL": "WARNING"}, apps=our_workers()
            )
        )
        settings = settings_from(environment)
        self._engine = make_engine(settings)
        opened.callback(self._engine.dispose)
        self._storage = Storage(settings)
        opened.callback(self._storage.close)
        self._connection = opened.enter_context(
            psycopg.connect(settings.psycopg_url, autocommit=True)
        )
        self._owner_id = ensure_person(settings, "bench", Role.CREATOR).id
        loop = opened.enter_context(asyncio.Runner())
        self._ours = Ours(self._stack, loop, loop.run(connect(settings)), settings, self._owner_id)
        self._photo = photo_jpeg(PIXELS)
        bare_dir = folder / "bare"
        bare_dir.mkdir()
        self._loop = BareLoop(
            settings, opened.enter_context(Zygote()), self._photo, folder=bare_dir
        )

    def through_everything(self, count: int) -> tuple[float, float]:
        """Seconds, and processor seconds of the whole stack, for each of so many pictures."""
        ids = lay_ready(
            self._engine,
            self._storage,
            owner_id=self._owner_id,
            photo=self._photo,
            count=count,
        )
        spent, begun = self._spent(), time.monotonic()
        self._ours.order(ids)
        done, at = wait_until_ready(self._connection, ids, quiet_seconds=self._ours.quiet_seconds)
        if done < count:
            raise RuntimeError(f"{done} of {count} became ready")
        return (at - begun) / count, (self._spent() - spent) / count

    def _spent(self) -> float:
        return processor_seconds(pids_of(self._stack))

    def bare(self, count: int) -> tuple[float, float]:
        spent = processor_seconds([os.getpid()])
        seconds = self._loop.seconds(count)
        return seconds / count, (processor_seconds([os.getpid()]) - spent) / count


def pids_of(stack: Stack) -> list[int]:
    """Of every part that runs."""
    pids = (stack.pid(each.name) for each in stack.status())
    return [pid for pid in pids if pid is not None]
