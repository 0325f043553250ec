"""SweepRefunds: refunds whose run was never started, and what was paid for in vain."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.operators import OperatorText
    from workflows import policies
    from workflows.queues import Queue, sibling_queue
    from workflows.refunds import steps
    from workflows.refunds.messages import RefundSweep, RefundSweepReport
    from workflows.versions import SHORT_LIVED


@workflow.defn(versioning_behavior=SHORT_LIVED)
class SweepRefunds:
    """Started by a Temporal Schedule; overlapping ticks are dropped."""

    @workflow.run
    async def run(self) -> RefundSweepReport:
        return await workflow.execute_activity(
            steps.sweep_refunds,
            RefundSweep(workflow.now()),
            task_queue=sibling_queue(Queue.MONEY, own=workflow.info().task_queue),
            start_to_close_timeout=policies.ERASE.start_to_close,
            retry_policy=policies.SWEEP_RETRY,
            summary=OperatorText("Starting refunds that have no run"),
        )
