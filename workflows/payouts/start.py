"""How payouts and their accounts are started and told of changes. Called by the API, by the
sweep and by what takes Stripe's events; never by a workflow."""

from __future__ import annotations

from temporalio.client import Client
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from domain.ids import connect_workflow_id, payout_workflow_id
from domain.operators import OperatorText
from workflows.attributes import CREATOR_ID, JOB_KIND, NEEDS_ATTENTION
from workflows.payouts.connect import Onboard
from workflows.payouts.messages import ConnectOrder, PayoutOrder
from workflows.payouts.payout import Payout
from workflows.queues import Queue, queue_name
from workflows.urgency import Urgency, asked_by


async def start_payout(client: Client, order: PayoutOrder, *, queue_prefix: str) -> str:
    """Start a payout's run, or find the one that is there; returns the workflow's id."""
    workflow_id = payout_workflow_id(order.payout_id)
    try:
        await client.start_workflow(
            Payout.run,
            order,
            id=workflow_id,
            task_queue=queue_name(Queue.WORKFLOWS, prefix=queue_prefix),
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
            search_attributes=_attributes("payout", order.creator_id),
            static_summary=OperatorText("Pay one creator out"),
            priority=asked_by(order.creator_id, Urgency.LATER),
        )
    except WorkflowAlreadyStartedError:
        return workflow_id
    return workflow_id


async def tell_of_decision(client: Client, payout_id: str) -> str:
    """Have the run look at the row, if there is one; returns the workflow's id."""
    workflow_id = payout_workflow_id(payout_id)
    try:
        await client.get_workflow_handle(workflow_id).signal(Payout.row_changed)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
    return workflow_id


async def watch_account(
    client: Client,
    creator_id: str,
    *,
    queue_prefix: str,
    event_type: str = "asked",
    object_id: str = "",
) -> str:
    """Have the account read from Stripe, and watched while it lacks something; returns the
    workflow's id. Whoever is over may run again: an account can come to lack something."""
    workflow_id = connect_workflow_id(creator_id)
    await client.start_workflow(
        Onboard.run,
        ConnectOrder(creator_id),
        id=workflow_id,
        task_queue=queue_name(Queue.WORKFLOWS, prefix=queue_prefix),
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        start_signal="stripe_changed",
        start_signal_args=[event_type, object_id],
        search_attributes=_attributes("connect", creator_id),
        static_summary=OperatorText("Watch one creator's payout account"),
        priority=asked_by(creator_id, Urgency.SOON),
    )
    return workflow_id


def _attributes(kind: str, creator_id: str) -> TypedSearchAttributes:
    return TypedSearchAttributes(
        [
            SearchAttributePair(JOB_KIND, kind),
            SearchAttributePair(CREATOR_ID, creator_id),
            SearchAttributePair(NEEDS_ATTENTION, False),
        ]
    )
