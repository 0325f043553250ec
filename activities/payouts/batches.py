"""Weekly batches, and the sweep."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Engine, or_, select
from temporalio.client import Client

from activities.errors import typed_failures
from domain.ids import derived_id
from domain.payouts.eligibility import Refused
from domain.payouts.states import PayoutState
from infra.db import transaction
from infra.models import Payout
from infra.queries.ledger import creators_due, release_due
from infra.queries.payouts import batches, opening
from infra.settings import Settings
from workflows.declarations import implements
from workflows.payouts import steps
from workflows.payouts.messages import (
    BatchEnd,
    BatchPage,
    BatchPlan,
    PayoutOrder,
    PayoutSweep,
    PayoutSweepReport,
    PlannedPayout,
)
from workflows.payouts.start import start_payout
from workflows.queues import Queue

log = structlog.get_logger(__name__)

BATCH = 200
UNSTARTED_AFTER = timedelta(minutes=1)
"""A run that lives has moved such a payout on by then."""
LOST_AFTER = timedelta(days=2)
"""A run that lives looks once a day at the least, and each look shows in the row."""
_S = PayoutState
_HURRIED = (_S.REQUESTED, _S.RESERVED, _S.TRANSFERRING, _S.FUNDED, _S.SUBMITTING, _S.RETURNING)
_OVER = (_S.SETTLED, _S.RETURNED, _S.RELEASED)


class BatchActivities:
    def __init__(
        self, settings: Settings, engine: Engine, temporal: Client, *, batch: int = BATCH
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._temporal = temporal
        self._batch = batch

    def on_queues(self) -> dict[Queue, list[Callable[..., Any]]]:
        return {Queue.MONEY: [self.plan_payouts, self.finish_batch, self.sweep_payouts]}

    @implements(steps.plan_payouts)
    def plan_payouts(self, page: BatchPage) -> BatchPlan:
        """One transaction a creator: none waits for another's lock."""
        with typed_failures():
            day, after = date.fromisoformat(page.day), _keyset(page.after)
            with transaction(self._engine) as session:
                batches.begin_batch(session, day, at=page.at)
                listed = batches.with_something_available(session, after=after, limit=page.limit)
            planned, skipped = [], 0
            for creator_id, currency in listed:
                payout = self._plan(day, creator_id, currency, page.at)
                if payout is None:
                    skipped += 1
                else:
                    planned.append(PlannedPayout(payout.id, creator_id))
            is_last = len(listed) < page.limit
            return BatchPlan(tuple(planned), skipped, None if is_last else ":".join(listed[-1]))

    def _plan(self, day: date, creator_id: str, currency: str, at: datetime) -> Payout | None:
        with transaction(self._engine) as session:
            decided = opening.plan_weekly(
                session,
                payout_id=derived_id("payout", day.isoformat(), creator_id, currency),
                creator_id=creator_id,
                currency=currency,
                day=day,
                at=at,
            )
            if isinstance(decided, Refused):
                batches.note_skip(
                    session, day, creator_id=creator_id, currency=currency, refused=decided
                )
                return None
            return decided

    @implements(steps.finish_batch)
    def finish_batch(self, end: BatchEnd) -> None:
        with typed_failures(), transaction(self._engine) as session:
            batches.end_batch(session, date.fromisoformat(end.day), at=end.at)
        log.info("payout_batch", day=end.day, started=end.started, skipped=end.skipped)

    @implements(steps.sweep_payouts)
    async def sweep_payouts(self, sweep: PayoutSweep) -> PayoutSweepReport:
        with typed_failures():
            released = await asyncio.to_thread(self._release, sweep.at)
            started = 0
            for payout_id, creator_id in await asyncio.to_thread(self._unstarted, sweep.at):
                await start_payout(
                    self._temporal,
                    PayoutOrder(payout_id, creator_id),
                    queue_prefix=self._settings.task_queue_prefix,
                )
                started += 1
            report = PayoutSweepReport(released_creators=released, started_runs=started)
        log.info("payouts_swept", **vars(report))
        return report

    def _release(self, at: datetime) -> int:
        """Make earnings available whose wait is over: one transaction a creator."""
        released, last = 0, None
        while True:
            with transaction(self._engine) as session:
                due = creators_due(session, at=at, limit=self._batch, after=last)
            for creator_id in due:
                with transaction(self._engine) as session:
                    release_due(session, creator_id=creator_id, at=at)
                released += 1
            if len(due) < self._batch:
                return released
            last = due[-1]

    def _unstarted(self, at: datetime) -> list[tuple[str, str]]:
        """Those that should have moved on by now; asking for a run that is there finds it."""
        with transaction(self._engine) as session:
            found = session.execute(
                select(Payout.id, Payout.creator_id)
                .where(
                    Payout.state.not_in([state.value for state in _OVER]),
                    or_(
                        Payout.updated_at < at - LOST_AFTER,
                        Payout.state.in_([state.value for state in _HURRIED])
                        & (Payout.updated_at < at - UNSTARTED_AFTER),
                    ),
                )
                .order_by(Payout.created_at)
                .limit(self._batch)
            )
            return [(payout_id, creator_id) for payout_id, creator_id in found]


def _keyset(after: str | None) -> tuple[str, str] | None:
    if after is None:
        return None
    creator_id, _, currency = after.partition(":")
    return creator_id, currency
