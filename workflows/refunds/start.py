"""How refunds are started and told of changes. Called by the API, by the sweep and by what takes
Stripe's events; never by a workflow."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio.client import Client, WithStartWorkflowOperation
from temporalio.common import (
    Priority,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)

from domain.ids import refund_workflow_id
from domain.operators import OperatorText
from workflows.attributes import JOB_KIND, NEEDS_ATTENTION
from workflows.hearing import heard
from workflows.queues import Queue, queue_name
from workflows.refunds.messages import RefundLook, RefundOrder
from workflows.refunds.refund import Refund
from workflows.urgency import Urgency, asked_by, at


def _arguments(refund_id: str, priority: Priority, *, queue_prefix: str) -> dict[str, Any]:
    return {
        "id": refund_workflow_id(refund_id),
        "task_queue": queue_name(Queue.WORKFLOWS, prefix=queue_prefix),
        "id_conflict_policy": WorkflowIDConflictPolicy.USE_EXISTING,
        "id_reuse_policy": WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        "search_attributes": TypedSearchAttributes(
            [SearchAttributePair(JOB_KIND, "refund"), SearchAttributePair(NEEDS_ATTENTION, False)]
        ),
        "static_summary": OperatorText("Give one payment back"),
        "priority": priority,
    }


async def refund_now(
    client: Client, refund_id: str, *, asker_id: str, queue_prefix: str, patience: timedelta
) -> RefundLook:
    """Start the run, or find the one that is there, and hear how the refund stands.

    Raises:
        WorkflowUpdateRPCTimeoutOrCancelledError: nothing to say yet after `patience`; the run
            goes on.
        RPCError, RuntimeError: Temporal is away; whether a run was started is not known.
    """
    start = WithStartWorkflowOperation(
        Refund.run,
        RefundOrder(refund_id),
        **_arguments(refund_id, asked_by(asker_id, Urgency.AWAITED), queue_prefix=queue_prefix),
    )
    return await heard(
        client.execute_update_with_start_workflow(
            Refund.outcome, start_workflow_operation=start, rpc_timeout=patience
        ),
        start,
    )


async def tend_refund(
    client: Client,
    refund_id: str,
    *,
    queue_prefix: str,
    event_type: str = "asked",
    object_id: str = "",
) -> str:
    """Start the run of a refund, or have the one that is there look; returns the workflow's id.

    Whoever is over may run again: a bank may send a refund back very late.
    """
    await client.start_workflow(
        Refund.run,
        RefundOrder(refund_id),
        **_arguments(refund_id, at(Urgency.PATIENT), queue_prefix=queue_prefix),
        start_signal="stripe_changed",
        start_signal_args=[event_type, object_id],
    )
    return refund_workflow_id(refund_id)
