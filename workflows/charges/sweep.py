"""SweepCharges: payments whose run was never started, and what Stripe told late."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.operators import OperatorText
    from workflows import policies
    from workflows.charges import steps
    from workflows.charges.messages import ChargeSweepOrder, ChargeSweepReport
    from workflows.queues import Queue, sibling_queue
    from workflows.versions import SHORT_LIVED


@workflow.defn(versioning_behavior=SHORT_LIVED)
class SweepCharges:
    """Started by a Temporal Schedule; overlapping ticks are dropped."""

    @workflow.run
    async def run(self) -> ChargeSweepReport:
        return await workflow.execute_activity(
            steps.sweep_charges,
            ChargeSweepOrder(workflow.now()),
            task_queue=sibling_queue(Queue.MONEY, own=workflow.info().task_queue),
            start_to_close_timeout=policies.ERASE.start_to_close,
            retry_policy=policies.SWEEP_RETRY,
            summary=OperatorText("Seeing to payments without a run, and to late fees"),
        )
