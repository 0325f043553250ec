"""SweepPosts: posts whose run was never started, or never heard that their time has changed."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.operators import OperatorText
    from workflows import policies
    from workflows.posts import steps
    from workflows.posts.messages import PostSweepReport
    from workflows.queues import Queue, sibling_queue
    from workflows.versions import SHORT_LIVED


@workflow.defn(versioning_behavior=SHORT_LIVED)
class SweepPosts:
    """Started by a Temporal Schedule; overlapping ticks are dropped."""

    @workflow.run
    async def run(self) -> PostSweepReport:
        return await workflow.execute_activity(
            steps.sweep_posts,
            task_queue=sibling_queue(Queue.IO, own=workflow.info().task_queue),
            start_to_close_timeout=policies.ERASE.start_to_close,
            retry_policy=policies.SWEEP_RETRY,
            summary=OperatorText("Publishing what is overdue, tending what is due soon"),
        )
