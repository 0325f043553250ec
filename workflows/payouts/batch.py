"""PayoutBatch: a payout for every creator who may have one, a few at a time.

A payout takes a week and more to be settled, so the batch does not wait for its end. It waits
until the money is under way, or a person has to look: only so long a payout takes up room, and
only so many are made ready at a time. The payouts are runs of their own and outlive the batch.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from temporalio import workflow
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from domain.ids import payout_workflow_id
    from domain.operators import OperatorText
    from workflows import policies
    from workflows.attributes import CREATOR_ID, JOB_KIND, NEEDS_ATTENTION
    from workflows.operated import Operated
    from workflows.payouts import steps
    from workflows.payouts.messages import (
        BatchEnd,
        BatchOrder,
        BatchPage,
        BatchPlan,
        PayoutOrder,
        PlannedPayout,
    )
    from workflows.payouts.payout import Payout
    from workflows.performing import perform
    from workflows.queues import Queue
    from workflows.urgency import Urgency, asked_by
    from workflows.versions import LONG_LIVED

ROOM_WAIT = timedelta(minutes=30)
"""One that is slower than that, because Stripe is away, keeps nobody else waiting."""


@workflow.defn(versioning_behavior=LONG_LIVED)
class PayoutBatch(Operated):
    """Started by a weekly Temporal Schedule. Of two on one day, both mean the same payouts."""

    @workflow.init
    def __init__(self, order: BatchOrder) -> None:
        self._day = order.day or workflow.now().date().isoformat()
        super().__init__("payout_batch", self._day)
        self._unready: set[str] = set()

    @workflow.run
    async def run(self, order: BatchOrder) -> BatchEnd:
        after, started, skipped = order.after, order.started, order.skipped
        for _ in range(order.pages_max):
            plan = await self._plan(after, order.page_size)
            for planned in plan.payouts:
                await self._room(order.window)
                started += await self._start(planned)
            after, skipped = plan.after, skipped + plan.skipped
            workflow.set_current_details(f"{started} payouts started, {skipped} skipped.")
            if after is None:
                return await self._finish(started, skipped)
        await self._room(1)
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new(
            replace(order, day=self._day, after=after, started=started, skipped=skipped)
        )

    async def _plan(self, after: str | None, limit: int) -> BatchPlan:
        return await self.attention.run(
            "plan",
            lambda: perform(
                steps.plan_payouts,
                BatchPage(self._day, workflow.now(), after, limit),
                queue=Queue.MONEY,
                policy=policies.MONEY,
                summary="Who may be paid out",
            ),
        )

    async def _room(self, window: int) -> None:
        """Until fewer than `window` payouts are being made ready."""
        try:
            await workflow.wait_condition(
                lambda: len(self._unready) < window,
                timeout=ROOM_WAIT,
                timeout_summary=OperatorText("Until a payout is under way"),
            )
        except TimeoutError:
            self._unready.clear()

    async def _start(self, planned: PlannedPayout) -> int:
        """1, or 0 where its run is there already."""
        self._unready.add(planned.payout_id)
        try:
            await workflow.start_child_workflow(
                Payout.run,
                PayoutOrder(
                    planned.payout_id, planned.creator_id, batch_run=workflow.info().workflow_id
                ),
                id=payout_workflow_id(planned.payout_id),
                parent_close_policy=ParentClosePolicy.ABANDON,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
                search_attributes=TypedSearchAttributes(
                    [
                        SearchAttributePair(JOB_KIND, "payout"),
                        SearchAttributePair(CREATOR_ID, planned.creator_id),
                        SearchAttributePair(NEEDS_ATTENTION, False),
                    ]
                ),
                static_summary=OperatorText("Pay one creator out"),
                priority=asked_by(planned.creator_id, Urgency.LATER),
            )
        except WorkflowAlreadyStartedError:
            self._unready.discard(planned.payout_id)
            return 0
        return 1

    async def _finish(self, started: int, skipped: int) -> BatchEnd:
        """Those still unready are told to nobody any more; they go on by themselves."""
        await self._room(1)
        end = BatchEnd(self._day, workflow.now(), started, skipped)
        await perform(steps.finish_batch, end, queue=Queue.MONEY, policy=policies.RECORD)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return end

    @workflow.signal
    def payout_moved(self, payout_id: str) -> None:
        """A payout is under way, waits for a person, or is over."""
        self._unready.discard(payout_id)
