"""The backbone itself: the same pictures by our runs on Temporal and by Celery with Redis.

Both call the same functions for inspecting, rendering and publishing, on the same Postgres, S3
and scanner, with as many slots; only who orders them differs. Celery is asked in two ways, as it
comes and as its documentation advises for work that must not be lost. Measured are sixty at once,
one alone, and what is left after all workers were killed at random moments.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psycopg
from rich.console import Console
from sqlalchemy import Engine

from benchmarks.celery_peer.part import CeleryWorker
from benchmarks.celery_peer.variants import CAREFUL, DEFAULTS, Variant
from benchmarks.kept import keep
from benchmarks.losses import Losses, compare_done, count_losses
from benchmarks.material import photo_jpeg
from benchmarks.pictures import lay_ready, ready_count, states_of, stored_of, wait_until_ready
from benchmarks.result import Result, compare
from benchmarks.sides import Ours, Peer, Side, our_workers
from devstack.apps import MEDIA_WORKERS
from devstack.people import ensure_person
from devstack.running import running_stack
from devstack.stack import Stack, settings_from
from domain.accounts import Role
from infra.db import make_engine
from infra.settings import Settings
from infra.storage import Storage
from infra.temporal import connect

AT_ONCE = 60
WARM = 4
ROUNDS_MAX = 3
ALONE = 6
"""In one round, one after the other."""
UNDER_KILLS = 30
KILLS = 3
KILL_SEED = 20_260
"""The moments of the kills, the same for every side."""
KILL_WITHIN_SECONDS = 3.0
"""After the first picture that became ready since the workers came up."""
PIXELS = 6_000_000
SPEED_AT_LEAST = 0.9
LATENCY_AT_MOST = 1.5
NAMES = {
    "speed": f"{AT_ONCE} pictures at once, against",
    "alone": "one picture alone, against",
}


def run(rounds: int) -> list[Result]:
    with ExitStack() as opened:
        bench = _open(opened)
        sides = bench.sides
        for side in sides:
            bench.seconds(side, WARM)
        rounds_here = min(rounds, ROUNDS_MAX)
        speeds = _by_turns(bench, rounds_here, AT_ONCE)
        alone = _by_turns(bench, rounds_here, 1, times=ALONE)
        losses = [_under_kills(bench, side) for side in sides]
    keep("losses", [each.as_json() for each in losses], rounds=rounds)
    return [*_speeds(sides, speeds), *_latencies(sides, alone), *_dones(losses)]


@dataclass(frozen=True, slots=True)
class _Bench:
    """The sides, and what pictures are made of and looked at with."""

    sides: tuple[Side, ...]
    engine: Engine
    storage: Storage
    connection: psycopg.Connection
    owner_id: str
    photo: bytes

    def lay(self, count: int) -> list[str]:
        return lay_ready(
            self.engine, self.storage, owner_id=self.owner_id, photo=self.photo, count=count
        )

    def seconds(self, side: Side, count: int) -> float:
        """From the first order to the last picture's `ready`.

        Raises:
            RuntimeError: one of them did not become ready, though nobody was killed.
        """
        ids = self.lay(count)
        begun = time.monotonic()
        side.order(ids)
        done, at = wait_until_ready(self.connection, ids, quiet_seconds=side.quiet_seconds)
        if done < count:
            raise RuntimeError(f"{side.name}: {done} of {count} became ready")
        return at - begun


def _open(opened: ExitStack) -> _Bench:
    folder = opened.enter_context(
        tempfile.TemporaryDirectory(prefix="fansworld-bench-", ignore_cleanup_errors=True)
    )
    peers = [CeleryWorker(variant, slots=MEDIA_WORKERS) for variant in (DEFAULTS, CAREFUL)]
    stack, environment = opened.enter_context(
        running_stack(
            Path(folder),
            Console(quiet=True),
            # Our sweep would find what Celery has lost, and do it.
            environ={"LOG_LEVEL": "WARNING", "SWEEP_INTERVAL_SECONDS": "86400"},
            apps=(*our_workers(), *peers),
        )
    )
    settings = settings_from(environment)
    engine = make_engine(settings)
    opened.callback(engine.dispose)
    storage = Storage(settings)
    opened.callback(storage.close)
    connection = opened.enter_context(psycopg.connect(settings.psycopg_url, autocommit=True))
    owner = ensure_person(settings, "bench", Role.CREATOR)
    loop = opened.enter_context(asyncio.Runner())
    ours = Ours(stack, loop, loop.run(connect(settings)), settings, owner.id)
    celery = [_peer(opened, stack, settings, variant) for variant in (DEFAULTS, CAREFUL)]
    return _Bench((ours, *celery), engine, storage, connection, owner.id, photo_jpeg(PIXELS))


def _peer(opened: ExitStack, stack: Stack, settings: Settings, variant: Variant) -> Peer:
    peer = Peer(stack, settings, variant)
    opened.callback(peer.close)
    return peer


def _by_turns(bench: _Bench, rounds: int, count: int, *, times: int = 1) -> dict[str, list[float]]:
    """Median seconds of so many pictures, by side and by round; each round begins with another
    side."""
    found: dict[str, list[float]] = {side.name: [] for side in bench.sides}
    for number in range(rounds):
        first = number % len(bench.sides)
        for side in (*bench.sides[first:], *bench.sides[:first]):
            spent = [bench.seconds(side, count) for _ in range(times)]
            found[side.name].append(statistics.median(spent))
    return found


def _under_kills(bench: _Bench, side: Side) -> Losses:
    """Workers of this side alone, killed and started again while there is work."""
    for other in bench.sides:
        if other is not side:
            other.rest()
    side.revive()
    chance = random.Random(KILL_SEED)
    ids = bench.lay(UNDER_KILLS)
    begun = time.monotonic()
    side.order(ids)
    done = 0
    for _ in range(KILLS):
        done, _ = wait_until_ready(
            bench.connection, ids, at_least=done + 1, quiet_seconds=side.quiet_seconds
        )
        time.sleep(chance.uniform(0, KILL_WITHIN_SECONDS))
        side.kill()
        done = ready_count(bench.connection, ids)
        side.revive()
    _, last = wait_until_ready(bench.connection, ids, quiet_seconds=side.quiet_seconds)
    objects, rows = stored_of(bench.connection, bench.storage, ids)
    losses = count_losses(
        side.name,
        kills=KILLS,
        acknowledged=ids,
        states=states_of(bench.connection, ids),
        held=side.held(ids),
        begun=side.begun(ids),
        objects=objects,
        rows=rows,
        seconds=last - begun,
    )
    side.rest()
    return losses


def _speeds(sides: Sequence[Side], seconds: dict[str, list[float]]) -> list[Result]:
    ours, *peers = ([AT_ONCE / each for each in seconds[side.name]] for side in sides)
    return [
        compare(
            f"{NAMES['speed']} {side.name}",
            ours=ours,
            peer=peer,
            unit="sets/s",
            at_least=SPEED_AT_LEAST,
            note=f"{MEDIA_WORKERS} slots each; 6 MP JPEG, from the first order to the last `ready`",
        )
        for side, peer in zip(sides[1:], peers, strict=True)
    ]


def _latencies(sides: Sequence[Side], seconds: dict[str, list[float]]) -> list[Result]:
    ours, *peers = ([1000 * each for each in seconds[side.name]] for side in sides)
    return [
        compare(
            f"{NAMES['alone']} {side.name}",
            ours=ours,
            peer=peer,
            unit="ms",
            at_most=LATENCY_AT_MOST,
            note=f"median of {ALONE} in each round, nothing else under way",
        )
        for side, peer in zip(sides[1:], peers, strict=True)
    ]


def _dones(losses: Sequence[Losses]) -> list[Result]:
    ours, *peers = losses
    return [compare_done(ours, peer) for peer in peers]
