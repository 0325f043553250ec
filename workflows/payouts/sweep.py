"""SweepPayouts: earnings whose time has come, and payouts whose run was never started."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.operators import OperatorText
    from workflows import policies
    from workflows.payouts import steps
    from workflows.payouts.messages import PayoutSweep, PayoutSweepReport
    from workflows.queues import Queue, sibling_queue
    from workflows.versions import SHORT_LIVED


@workflow.defn(versioning_behavior=SHORT_LIVED)
class SweepPayouts:
    """Started by a Temporal Schedule; overlapping ticks are dropped."""

    @workflow.run
    async def run(self) -> PayoutSweepReport:
        return await workflow.execute_activity(
            steps.sweep_payouts,
            PayoutSweep(workflow.now()),
            task_queue=sibling_queue(Queue.MONEY, own=workflow.info().task_queue),
            start_to_close_timeout=policies.ERASE.start_to_close,
            retry_policy=policies.SWEEP_RETRY,
            summary=OperatorText("Releasing what is due, starting what was left unstarted"),
        )
