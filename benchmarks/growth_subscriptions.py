"""A thousand subscriptions, ten and a hundred thousand: what the statements take that run ever
again. As the database takes it, by the functions that the platform calls."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
from sqlalchemy import Engine

from activities.subscriptions.sweeping import SubscriptionSweep
from benchmarks.few_parts import environ_of_few
from benchmarks.growth_points import Point
from benchmarks.growth_rows import Asker, fill_to
from devstack.postgres import Postgres
from devstack.stack import Stack, settings_from
from domain.subscriptions.rules import Rules
from infra.db import make_engine, transaction
from infra.migrations import upgrade
from infra.queries.access import DECIDE_MANY_SQL
from infra.queries.ledger import trial_balance, verify
from infra.queries.people import since_params
from infra.queries.posts.lists import FEED_SQL
from infra.temporal import connect

SIZES = (1_000, 10_000, 100_000)
WARM = 3
REPEATS = 10
"""In one round, of which the median is taken; of what reads the whole ledger, one."""
IDLE_SWEEP = "a sweep that finds nothing"
DUE = "renewals that are due (200)"
DECISION = "an access decision, 100 media"
FEED = "a page of the feed"
TRIAL = "trial balance"
PROOF = "proof of the whole ledger"
FLAT = (DUE, DECISION, FEED)
"""What must not grow: it reads a page of an index, however many there are."""
WHOLE = (PROOF,)


def measure(rounds: int) -> list[Point]:
    with tempfile.TemporaryDirectory(prefix="fansworld-growth-") as folder, ExitStack() as opened:
        environ = environ_of_few()
        stack = opened.enter_context(Stack(Path(folder), parts=(Postgres(),), environ=environ))
        settings = settings_from({**environ, **stack.environment})
        upgrade(settings.database_url)
        engine = make_engine(settings)
        opened.callback(engine.dispose)
        connection = opened.enter_context(psycopg.connect(settings.psycopg_url, autocommit=True))
        # It starts no run here, so nobody has to answer.
        client = asyncio.run(connect(settings, lazy=True))
        sweep = SubscriptionSweep(engine, client, queue_prefix="", rules=Rules())
        points: list[Point] = []
        for size in SIZES:
            asker = fill_to(connection, size)
            _prove(engine, size)
            calls = _calls(engine, sweep, connection, asker)
            points += [
                Point("subscriptions", what, size, _timed(what, call, rounds), "ms")
                for what, call in calls.items()
            ]
    return points


def _prove(engine: Engine, size: int) -> None:
    """Raises RuntimeError when the rows are none that the platform could have written."""
    with transaction(engine) as session:
        broken = verify(session)
    if broken:
        raise RuntimeError(f"{size} subscriptions: {broken[0]}")


def _calls(
    engine: Engine, sweep: SubscriptionSweep, connection: psycopg.Connection, asker: Asker
) -> dict[str, Callable[[], object]]:
    now = datetime.now(UTC)
    who = {"viewer_id": asker.fan_id, "session_id": None, "now": now}
    decide = {**who, "media_ids": asker.media_ids}
    feed = {**who, "country": None, **since_params(None, 20)}

    def balance() -> object:
        with transaction(engine) as session:
            return trial_balance(session)

    def proof() -> object:
        with transaction(engine) as session:
            return verify(session)

    return {
        IDLE_SWEEP: lambda: (sweep.late(now), sweep.tell_of_prices(now)),
        DUE: lambda: sweep.late(now + timedelta(days=20)),
        DECISION: lambda: connection.execute(DECIDE_MANY_SQL, decide).fetchall(),
        FEED: lambda: connection.execute(FEED_SQL, feed).fetchall(),
        TRIAL: balance,
        PROOF: proof,
    }


def _timed(what: str, call: Callable[[], object], rounds: int) -> tuple[float, ...]:
    """Milliseconds, a median for each round."""
    for _ in range(WARM):
        call()
    repeats = 1 if what in WHOLE else REPEATS
    return tuple(
        statistics.median(_milliseconds(call) for _ in range(repeats)) for _ in range(rounds)
    )


def _milliseconds(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return (time.perf_counter() - begun) * 1000
