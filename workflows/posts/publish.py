"""PublishPost: look at the row, sleep until it is due, look again.

The row is the truth. A signal says only that it has changed, so that signals may be lost, come
twice or in another order.
"""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.operators import OperatorText
    from workflows import policies
    from workflows.performing import perform
    from workflows.posts import steps
    from workflows.posts.messages import PostLook, PublishPostOrder
    from workflows.queues import Queue
    from workflows.versions import LONG_LIVED


@workflow.defn(versioning_behavior=LONG_LIVED)
class PublishPost:
    """One run a post while it is scheduled; id from `domain.ids.publish_workflow_id`."""

    @workflow.init
    def __init__(self, order: PublishPostOrder) -> None:
        self._order = order
        self._changed = False

    @workflow.run
    async def run(self, order: PublishPostOrder) -> PostLook:
        for _ in range(order.looks_max):
            self._changed = False
            seen = await self._look()
            if seen.wait_seconds is not None:
                await self._sleep(seen.wait_seconds)
            elif not self._changed:
                workflow.set_current_details(f"Ended: {seen.outcome}.")
                return seen
        workflow.continue_as_new(order)

    async def _look(self) -> PostLook:
        return await perform(
            steps.publish_if_due,
            self._order,
            queue=Queue.IO,
            policy=policies.RECORD,
            summary="Publishing the post, if it is due",
        )

    async def _sleep(self, seconds: float) -> None:
        """Until the time has come, or the row has changed."""
        due = workflow.now() + timedelta(seconds=seconds)
        workflow.set_current_details(f"Sleeping until {due:%Y-%m-%d %H:%M:%S} UTC.")
        try:
            await workflow.wait_condition(
                lambda: self._changed,
                timeout=seconds,
                timeout_summary=OperatorText("Until the post is due"),
            )
        except TimeoutError:
            return

    @workflow.signal
    def row_changed(self) -> None:
        """The post was rescheduled, published, made a draft again or deleted."""
        self._changed = True
