"""What the schedule asks for: no payment and no card without a run that brings it to an end, no
paid charge without its fee and its tax report."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Engine, select
from temporalio.client import Client

from activities.charges.taking import ChargeTaker
from activities.errors import typed_failures
from domain import tips
from domain.errors import StepBlocked
from domain.payment_methods import SetupState
from domain.subscriptions.gifts import UNDER_WAY
from domain.unlocks import states as unlocks
from infra.db import transaction
from infra.models import CardSetup, Charge, Gift, PaymentMethod, Tip, Unlock
from infra.queries.charges.unfinished import unfinished
from infra.settings import Settings
from infra.stripe.gateway import StripeGateway
from workflows.charges import steps
from workflows.charges.messages import ChargeOrder, ChargeSweepOrder, ChargeSweepReport
from workflows.charges.start import tend_paying
from workflows.declarations import implements
from workflows.gifts.start import gift_order
from workflows.payment_methods.messages import CardRemovalOrder, CardSetupOrder
from workflows.payment_methods.start import begin_removal, tend_setup
from workflows.queues import Queue
from workflows.tips.start import tip_order
from workflows.unlocks.start import unlock_order

log = structlog.get_logger(__name__)

BATCH = 200
AGED = timedelta(minutes=1)
"""The API has started a run by then, if it could."""


class ChargeSweepActivities:
    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        gateway: StripeGateway,
        temporal: Client,
    ) -> None:
        self._queue_prefix = settings.task_queue_prefix
        self._engine = engine
        self._taker = ChargeTaker(settings, engine, gateway)
        self._temporal = temporal

    def on_queues(self) -> dict[Queue, list[Callable[..., Any]]]:
        return {Queue.MONEY: [self.sweep_charges]}

    @implements(steps.sweep_charges)
    async def sweep_charges(self, order: ChargeSweepOrder) -> ChargeSweepReport:
        with typed_failures():
            before = order.at - AGED
            runs = 0
            for payment in await asyncio.to_thread(self._payments, before, order.at):
                await tend_paying(self._temporal, payment, queue_prefix=self._queue_prefix)
                runs += 1
            for setup in await asyncio.to_thread(self._setups, before, order.at):
                await tend_setup(self._temporal, setup, queue_prefix=self._queue_prefix)
                runs += 1
            for removal in await asyncio.to_thread(self._removals, before, order.at):
                await begin_removal(self._temporal, removal, queue_prefix=self._queue_prefix)
                runs += 1
            finished = refused = 0
            for charge_id in await asyncio.to_thread(self._unfinished, before):
                try:
                    finished += await asyncio.to_thread(self._taker.finish, charge_id, order.at)
                except StepBlocked as error:
                    # This one needs a person, and no other may wait for it.
                    log.error("charge_not_finished", charge_id=charge_id, why=error.code)
                    refused += 1
            report = ChargeSweepReport(
                runs_tended=runs, charges_finished=finished, charges_refused=refused
            )
        log.info("charges_swept", **vars(report))
        return report

    def _payments(self, before: datetime, at: datetime) -> list[ChargeOrder]:
        with transaction(self._engine) as session:
            bought = session.scalars(
                select(Unlock)
                .where(Unlock.state.in_(unlocks.UNDER_WAY), Unlock.quoted_at < before)
                .order_by(Unlock.quoted_at)
                .limit(BATCH)
            )
            given = session.scalars(
                select(Tip)
                .where(Tip.state.in_(tips.UNDER_WAY), Tip.created_at < before)
                .order_by(Tip.created_at)
                .limit(BATCH)
            )
            gifts = session.scalars(
                select(Gift)
                .where(Gift.state.in_(UNDER_WAY), Gift.created_at < before)
                .order_by(Gift.created_at)
                .limit(BATCH)
            )
            return [
                *(unlock_order(each, at=at) for each in bought),
                *(tip_order(each, at=at) for each in given),
                *(gift_order(each, at=at) for each in gifts),
            ]

    def _setups(self, before: datetime, at: datetime) -> list[CardSetupOrder]:
        with transaction(self._engine) as session:
            found = session.scalars(
                select(CardSetup)
                .where(CardSetup.state == SetupState.OPEN, CardSetup.created_at < before)
                .order_by(CardSetup.created_at)
                .limit(BATCH)
            )
            return [CardSetupOrder(each.id, each.fan_id, at) for each in found]

    def _removals(self, before: datetime, at: datetime) -> list[CardRemovalOrder]:
        with transaction(self._engine) as session:
            found = session.scalars(
                select(PaymentMethod.id)
                .where(PaymentMethod.removed_at < before, PaymentMethod.detached_at.is_(None))
                .order_by(PaymentMethod.removed_at)
                .limit(BATCH)
            )
            return [CardRemovalOrder(each, at) for each in found]

    def _unfinished(self, before: datetime) -> list[str]:
        """Paid charges whose fee was not booked yet, or whose tax is not reported."""
        with transaction(self._engine) as session:
            found = session.scalars(
                select(Charge.id)
                .where(Charge.paid_at < before, *unfinished())
                .order_by(Charge.paid_at)
                .limit(BATCH)
            )
            return list(found)
