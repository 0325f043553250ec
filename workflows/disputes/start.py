"""How disputes are followed. Called by what takes Stripe's events and by the API; never by a
workflow."""

from __future__ import annotations

from temporalio.client import Client
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)

from domain.ids import dispute_workflow_id
from domain.operators import OperatorText
from workflows.attributes import JOB_KIND, NEEDS_ATTENTION
from workflows.disputes.dispute import Dispute
from workflows.disputes.messages import DisputeOrder
from workflows.queues import Queue, queue_name
from workflows.urgency import Urgency, at


async def follow_dispute(
    client: Client,
    stripe_dispute_id: str,
    *,
    queue_prefix: str,
    event_type: str = "asked",
    object_id: str = "",
) -> str:
    """Start the run of a dispute, or have the one that is there look; returns the workflow's id.

    Whoever is over may run again: an inquiry that was closed can become a chargeback.
    """
    workflow_id = dispute_workflow_id(stripe_dispute_id)
    await client.start_workflow(
        Dispute.run,
        DisputeOrder(stripe_dispute_id),
        id=workflow_id,
        task_queue=queue_name(Queue.WORKFLOWS, prefix=queue_prefix),
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        start_signal="stripe_changed",
        start_signal_args=[event_type, object_id],
        search_attributes=TypedSearchAttributes(
            [SearchAttributePair(JOB_KIND, "dispute"), SearchAttributePair(NEEDS_ATTENTION, False)]
        ),
        static_summary=OperatorText("Follow one dispute to its end"),
        priority=at(Urgency.PATIENT),
    )
    return workflow_id
