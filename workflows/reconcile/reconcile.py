"""Reconcile: hold the ledger against Stripe's books; where they differ, ask a person."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.operators import OperatorText
    from workflows import policies
    from workflows.attention import BlockedStep, attention_text
    from workflows.operated import Operated
    from workflows.performing import perform
    from workflows.queues import Queue
    from workflows.reconcile import steps
    from workflows.reconcile.messages import ReconcileReport, ReconcileStep
    from workflows.versions import SHORT_LIVED

STEP = "reconcile"
CATCHING_UP = timedelta(hours=1)
"""After which what was only late has come: runs and sweeps catch up with an outage on their own.
What differs still, a person has to see."""


@workflow.defn(versioning_behavior=SHORT_LIVED)
class Reconcile(Operated):
    """Started by a Temporal Schedule. One that waits for a person is ended before the next
    tick, which compares anew."""

    @workflow.init
    def __init__(self) -> None:
        super().__init__("reconciliation", "all")
        self._table = ""
        self._has_waited = False

    @workflow.run
    async def run(self) -> ReconcileReport | None:
        found = await self.attention.run_skippable(
            STEP,
            self._compare,
            if_skipped="The difference stays; the next comparison finds it again.",
        )
        await workflow.wait_condition(workflow.all_handlers_finished)
        return found if isinstance(found, ReconcileReport) else None

    async def show_attention(self, blocked: BlockedStep | None) -> None:
        """What differs, below what to do about it."""
        if blocked is not None:
            workflow.set_current_details(f"{attention_text(blocked)}\n\n{self._table}")

    async def _compare(self) -> ReconcileReport:
        found = await self._compare_once()
        if found.may_be_late and not self._has_waited:
            self._has_waited = True
            await workflow.sleep(
                CATCHING_UP, summary=OperatorText("Until what may be only late has come")
            )
            found = await self._compare_once()
        if found.breaks:
            await perform(steps.stop_for_breaks, found, queue=Queue.MONEY, policy=policies.RECORD)
        return found

    async def _compare_once(self) -> ReconcileReport:
        found = await perform(
            steps.compare_books,
            ReconcileStep(workflow.now()),
            queue=Queue.MONEY,
            policy=policies.COMPARE,
            summary="Comparing the ledger with Stripe's books",
        )
        self._table = found.table
        workflow.set_current_details(
            OperatorText(f"{found.sources_checked} sources compared, {found.breaks} differ.")
        )
        return found
