"""SweepMedia: what a crash or an absent client left behind, found and set right on a schedule."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.operators import OperatorText
    from workflows import policies
    from workflows.media import steps
    from workflows.media.messages import SweepReport
    from workflows.queues import Queue, sibling_queue
    from workflows.versions import SHORT_LIVED


@workflow.defn(versioning_behavior=SHORT_LIVED)
class SweepMedia:
    """Started by a Temporal Schedule; overlapping ticks are dropped."""

    @workflow.run
    async def run(self) -> SweepReport:
        return await workflow.execute_activity(
            steps.sweep_media,
            task_queue=sibling_queue(Queue.IO, own=workflow.info().task_queue),
            start_to_close_timeout=policies.ERASE.start_to_close,
            retry_policy=policies.SWEEP_RETRY,
            summary=OperatorText(
                "Expiring uploads, starting unstarted runs, keeping retention times"
            ),
        )
