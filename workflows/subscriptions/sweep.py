"""SweepSubscriptions: runs that are missing or late, and prices that rise."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.operators import OperatorText
    from workflows import policies
    from workflows.queues import Queue, sibling_queue
    from workflows.subscriptions import steps
    from workflows.subscriptions.messages import (
        SubscriptionSweepOrder,
        SubscriptionSweepReport,
    )
    from workflows.versions import SHORT_LIVED


@workflow.defn(versioning_behavior=SHORT_LIVED)
class SweepSubscriptions:
    """Started by a Temporal Schedule; overlapping ticks are dropped."""

    @workflow.run
    async def run(self) -> SubscriptionSweepReport:
        return await workflow.execute_activity(
            steps.sweep_subscriptions,
            SubscriptionSweepOrder(workflow.now()),
            task_queue=sibling_queue(Queue.MONEY, own=workflow.info().task_queue),
            start_to_close_timeout=policies.ERASE.start_to_close,
            retry_policy=policies.SWEEP_RETRY,
            summary=OperatorText("Beginning missing runs, telling of prices that rise"),
        )
