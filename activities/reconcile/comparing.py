"""Comparing the books, making up for what is only missing, and stopping for what is not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Engine, select
from temporalio import activity
from temporalio.client import Client

from activities.errors import typed_failures
from domain.errors import StepBlocked
from domain.reconcile import MAY_BE_LATE, Break, Rule, report
from infra.db import transaction
from infra.models import Charge
from infra.queries import charges, refunds
from infra.reconcile import (
    Comparison,
    compare_books,
    compare_rules,
    keep_reconciliation,
    next_window,
)
from infra.settings import Settings
from infra.stripe.gateway import StripeGateway
from infra.stripe.objects import BalanceTransaction
from workflows.declarations import implements
from workflows.disputes.start import follow_dispute
from workflows.queues import Queue
from workflows.reconcile import steps
from workflows.reconcile.messages import ReconcileReport, ReconcileStep
from workflows.refunds.start import tend_refund

log = structlog.get_logger(__name__)

METRIC = "ledger_breaks"


class ReconcileActivities:
    """What the schedule of reconciling asks for."""

    def __init__(
        self, settings: Settings, engine: Engine, gateway: StripeGateway, temporal: Client
    ) -> None:
        self._prefix = settings.task_queue_prefix
        self._sells = settings.stripe_secret_key is not None
        self._engine = engine
        self._gateway = gateway
        self._temporal = temporal

    def on_queues(self) -> dict[Queue, list[Callable[..., Any]]]:
        return {Queue.MONEY: [self.compare_books, self.stop_for_breaks]}

    @implements(steps.compare_books)
    async def compare_books(self, step: ReconcileStep) -> ReconcileReport:
        with typed_failures():
            found, fees = await asyncio.to_thread(self._compare, step.at)
            adopted = await asyncio.to_thread(self._adopt_refunds, found.breaks, step.at)
            for refund_id in adopted:
                await tend_refund(self._temporal, refund_id, queue_prefix=self._prefix)
            unheard = [name for name in _unknown(found.breaks) if name.startswith(("dp_", "du_"))]
            for dispute_id in unheard:
                await follow_dispute(self._temporal, dispute_id, queue_prefix=self._prefix)
            kept = await asyncio.to_thread(self._keep, found, step.at, fees)
        activity.metric_meter().create_gauge(
            METRIC, "Differences between the ledger and Stripe that the last comparison found."
        ).set(len(found.breaks))
        log.info("reconciled", sources=found.sources_checked, breaks=len(found.breaks))
        return ReconcileReport(
            reconciliation_id=kept,
            sources_checked=found.sources_checked,
            breaks=len(found.breaks),
            table=report(found.breaks),
            fees_recorded=fees,
            refunds_adopted=len(adopted),
            disputes_followed=len(unheard),
            may_be_late=bool(found.breaks)
            and all(each.rule in MAY_BE_LATE for each in found.breaks),
        )

    @implements(steps.stop_for_breaks)
    def stop_for_breaks(self, found: ReconcileReport) -> None:
        with typed_failures():
            raise StepBlocked(
                "The ledger and Stripe's books differ.",
                code="books_differ",
                breaks=found.breaks,
                reconciliation_id=found.reconciliation_id,
            )

    def _compare(self, at: datetime) -> tuple[Comparison, int]:
        """What differs once fees that came late are posted, and how many those were."""
        with transaction(self._engine) as session:
            window = next_window(session, at)
        if not self._sells:
            return compare_rules(self._engine, window), 0
        found = compare_books(self._engine, self._gateway, window)
        fees = sum(self._post_fee(source, lines, at) for source, lines in found.lines.items())
        return (compare_books(self._engine, self._gateway, window) if fees else found), fees

    def _post_fee(self, source: str, lines: Iterable[BalanceTransaction], at: datetime) -> bool:
        """Whether a charge of this source had no fee yet, and has it now."""
        with transaction(self._engine) as session:
            charge_id = session.scalar(
                select(Charge.id).where(
                    Charge.stripe_charge_id == source, Charge.fee_recorded_at.is_(None)
                )
            )
            booked = next((line for line in lines if line.type in ("charge", "payment")), None)
            if charge_id is None or booked is None:
                return False
            charge = charges.charge_of(session, charge_id)
            charges.record_missing_fee(session, charge, booked, at=at)
            return True

    def _adopt_refunds(self, breaks: Iterable[Break], at: datetime) -> list[str]:
        """Rows of refunds that were made elsewhere, for their runs to post."""
        adopted: list[str] = []
        for name in _unknown(breaks):
            if not name.startswith(("re_", "pyr_")):
                continue
            said = self._gateway.retrieve_refund(name)
            with transaction(self._engine) as session:
                refund = refunds.adopt_refund(session, said, at=at)
            if refund is not None:
                adopted.append(refund.id)
        return adopted

    def _keep(self, found: Comparison, at: datetime, fees: int) -> str:
        with transaction(self._engine) as session:
            return keep_reconciliation(
                session, found, started_at=at, ended_at=at, fees_recorded=fees
            )


def _unknown(breaks: Iterable[Break]) -> list[str]:
    """Sources that the ledger has never heard of."""
    return [each.subject for each in breaks if each.rule == Rule.NOT_IN_LEDGER]
