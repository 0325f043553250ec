"""Worlds of money over one process's database."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime

import structlog

from devstack.stripe.core import LocalStripe
from devstack.stripe.world import Config, Endpoint
from infra.db import make_async_engine
from simulation.database import ProcessDatabase
from simulation.money.acts import ACTS
from simulation.money.cast import hire
from simulation.money.parts import Parts
from simulation.money.serving import serve
from simulation.money.stripe import SECRET_KEY, Browser, WayToStripe
from simulation.money.world import MoneyWorld
from simulation.temporal import SimulatedTemporal
from simulation.worlds import Scene, World
from workflows.runner import WORKFLOWS

BEGAN = datetime(2030, 1, 31, 12, tzinfo=UTC)

OURS = {
    "STRIPE_SECRET_KEY": SECRET_KEY,
    "STRIPE_WEBHOOK_SECRETS": "whsec_platform",
    "STRIPE_CONNECT_WEBHOOK_SECRETS": "whsec_connect",
}
ENDPOINTS = (
    Endpoint("https://platform.example/stripe", "whsec_platform"),
    Endpoint("https://platform.example/stripe/connect", "whsec_connect", connect=True),
)


class MoneyScene:
    way_to_stripe = WayToStripe
    world_type = MoneyWorld
    acts = ACTS

    def __init__(self, database: ProcessDatabase) -> None:
        self.database = database

    @asynccontextmanager
    async def world(self, seed: int) -> AsyncIterator[World]:
        self.database.empty()
        self.database.keep_time(BEGAN)
        settings, engine = self.database.settings, self.database.engine
        temporal = SimulatedTemporal(workflows=WORKFLOWS, now=BEGAN, seed=seed)
        counts: Counter[str] = Counter()
        local = LocalStripe(
            now=int(BEGAN.timestamp()), seed=str(seed), config=Config(endpoints=ENDPOINTS)
        )
        way = self.way_to_stripe(local, temporal.clock, counts)
        async_engine = make_async_engine(settings)
        try:
            cast = hire(engine, Browser(way), seed, BEGAN)
            _forget_cards(local)
            parts = Parts(self.database, async_engine, temporal, way, cast)
            serve(parts)
            yield self.world_type(parts, seed, counts, self.acts)
        finally:
            await async_engine.dispose()


def _forget_cards(stripe: LocalStripe) -> None:
    """What Stripe tells of how the cast got its cards was heard long ago; what it tells of the
    accounts of creators begins their runs."""
    for delivery in stripe.due_deliveries():
        if not delivery.account:
            stripe.delivered(delivery.id, 200)


@contextmanager
def open_money(environment: Mapping[str, str], number: int) -> Iterator[Scene]:
    database = ProcessDatabase({**environment, **OURS}, number)
    try:
        with _silence():
            yield MoneyScene(database)
    finally:
        database.close()


@contextmanager
def _silence() -> Iterator[None]:
    """What goes wrong on purpose is no news. Afterwards the process logs as it did before."""
    before = structlog.get_config()
    loggers = [logging.getLogger(name) for name in ("temporalio", "asyncio")]
    levels = [logger.level for logger in loggers]
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
        # A logger that is kept would stay silent for good.
        cache_logger_on_first_use=False,
    )
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        structlog.configure(**before)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
