"""The sweep of Stripe's events: polls what was not delivered, tells whom nobody has told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any

import structlog
from sqlalchemy import Engine
from temporalio.client import Client

from activities.errors import typed_failures
from domain.stripe_events import (
    OVERLAP,
    POLLED,
    POLLED_OF_ACCOUNTS,
    EventState,
    Owner,
    ParkedBecause,
)
from infra.db import transaction
from infra.queries.stripe_events import inbox
from infra.settings import Settings
from infra.stripe import StripeGateway
from infra.stripe.objects import Event
from workflows.declarations import implements
from workflows.queues import Queue
from workflows.stripe_events import steps
from workflows.stripe_events.messages import EventSweep, EventSweepReport
from workflows.stripe_events.start import begin_for_news, tell_owner

log = structlog.get_logger(__name__)

BATCH = 500
PAGE = 100


class EventActivities:
    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        gateway: StripeGateway,
        temporal: Client,
        *,
        batch: int = BATCH,
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._gateway = gateway
        self._temporal = temporal
        self._batch = batch

    def on_queues(self) -> dict[Queue, list[Callable[..., Any]]]:
        return {Queue.MONEY: [self.sweep_stripe_events]}

    @implements(steps.sweep_stripe_events)
    async def sweep_stripe_events(self, sweep: EventSweep) -> EventSweepReport:
        with typed_failures():
            polled = 0
            if self._settings.stripe_secret_key is not None:
                polled = await asyncio.to_thread(self._poll, sweep.at)
            told, parked = await self._tell(sweep.at)
            given_up = await asyncio.to_thread(self._given_up, sweep.at)
            deleted = await asyncio.to_thread(self._delete_old, sweep.at)
            report = EventSweepReport(polled, told, parked, given_up, deleted)
        log.info("stripe_events_swept", **vars(report))
        return report

    def _poll(self, at: datetime) -> int:
        """The platform's own events, then those of accounts that a payout is under way on."""
        with transaction(self._engine) as session:
            accounts = inbox.accounts_of_open_payouts(session)
        polled = self._poll_one(None, at)
        return polled + sum(self._poll_one(account, at) for account in accounts)

    def _poll_one(self, account: str | None, at: datetime) -> int:
        """What happened since the last time, and a little before it."""
        with transaction(self._engine) as session:
            since = inbox.polled_until(session, account, at=at)
        types = POLLED if account is None else POLLED_OF_ACCOUNTS
        found = self._gateway.events_since(since - OVERLAP, account=account, types=types)
        kept = 0
        for some in _by_pages(found):
            with transaction(self._engine) as session:
                known = inbox.known_ids(session, [event.id for event in some])
                for event in some:
                    if event.id not in known:
                        kept += inbox.keep(session, event, at=at, was_polled=True).is_new
        with transaction(self._engine) as session:
            inbox.note_polled(session, account, until=at)
        return kept

    async def _tell(self, at: datetime) -> tuple[int, int]:
        told = parked = 0
        for event in await asyncio.to_thread(self._untold, at):
            kept = await asyncio.to_thread(self._look_again, event, at)
            if kept.owner is not None and await self._tell_one(kept, kept.owner, at):
                told += 1
            else:
                parked += 1
        return told, parked

    async def _tell_one(self, kept: inbox.Kept, owner: Owner, at: datetime) -> bool:
        """False where it stays parked."""
        prefix = self._settings.task_queue_prefix
        if await tell_owner(self._temporal, owner, kept.facts, queue_prefix=prefix):
            await asyncio.to_thread(self._settle, kept, owner, at)
            return True
        why = await asyncio.to_thread(self._settle_untold, kept, owner, at)
        if why is not ParkedBecause.NO_RUN:
            return why is None
        if await begin_for_news(self._temporal, owner, kept.facts, queue_prefix=prefix):
            await asyncio.to_thread(self._settle, kept, owner, at)
            return True
        return False

    def _untold(self, at: datetime) -> list[Event]:
        with transaction(self._engine) as session:
            rows = inbox.untold(session, at=at, limit=self._batch)
            return [inbox.event_of(row) for row in rows]

    def _look_again(self, event: Event, at: datetime) -> inbox.Kept:
        """Who owns it may be known by now."""
        with transaction(self._engine) as session:
            return inbox.keep(session, event, at=at)

    def _settle(self, kept: inbox.Kept, owner: Owner, at: datetime) -> None:
        with transaction(self._engine) as session:
            inbox.settle(session, kept.facts.id, EventState.HANDLED, at=at, owner=owner)

    def _settle_untold(self, kept: inbox.Kept, owner: Owner, at: datetime) -> ParkedBecause | None:
        with transaction(self._engine) as session:
            return inbox.settle_untold(session, kept.facts, owner, at=at)

    def _given_up(self, at: datetime) -> int:
        with transaction(self._engine) as session:
            return inbox.count_given_up(session, at=at)

    def _delete_old(self, at: datetime) -> int:
        with transaction(self._engine) as session:
            return inbox.delete_old(session, at=at, limit=self._batch)


def _by_pages(events: Iterator[Event]) -> Iterator[list[Event]]:
    while some := list(islice(events, PAGE)):
        yield some
