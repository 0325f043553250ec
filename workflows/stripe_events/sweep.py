"""SweepStripeEvents: what was not delivered, and what nobody was told of."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.operators import OperatorText
    from workflows import policies
    from workflows.attributes import NEEDS_ATTENTION
    from workflows.queues import Queue, sibling_queue
    from workflows.stripe_events import steps
    from workflows.stripe_events.messages import EventSweep, EventSweepReport
    from workflows.versions import SHORT_LIVED


@workflow.defn(versioning_behavior=SHORT_LIVED)
class SweepStripeEvents:
    """Started by a Temporal Schedule; overlapping ticks are dropped. A tick after which events
    are left that nobody could be told of in three days shows that it needs attention."""

    @workflow.run
    async def run(self) -> EventSweepReport:
        report = await workflow.execute_activity(
            steps.sweep_stripe_events,
            EventSweep(workflow.now()),
            task_queue=sibling_queue(Queue.MONEY, own=workflow.info().task_queue),
            start_to_close_timeout=policies.ERASE.start_to_close,
            retry_policy=policies.SWEEP_RETRY,
            summary=OperatorText("Fetching events of Stripe's that did not come"),
        )
        if report.given_up:
            workflow.upsert_search_attributes([NEEDS_ATTENTION.value_set(True)])
            workflow.set_current_details(
                f"{report.given_up} events of Stripe's found no run that waits for them."
            )
        return report
