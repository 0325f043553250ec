"""How runs of cards are started. Called by the API and by the sweep; never by a workflow."""

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

from domain.ids import card_removal_workflow_id, card_setup_workflow_id
from domain.operators import OperatorText
from workflows.attributes import JOB_KIND, JOB_STEP, NEEDS_ATTENTION
from workflows.hearing import heard
from workflows.payment_methods.messages import (
    CardRemovalOrder,
    CardSetupOrder,
    CardSetupOutcome,
)
from workflows.payment_methods.removal import RemoveCard
from workflows.payment_methods.setup import SetUpCard
from workflows.queues import Queue, queue_name
from workflows.urgency import Urgency, asked_by, at


def _common(
    workflow_id: str, kind: str, summary: str, priority: Priority, *, queue_prefix: str
) -> dict[str, Any]:
    return {
        "id": workflow_id,
        "task_queue": queue_name(Queue.WORKFLOWS, prefix=queue_prefix),
        "id_conflict_policy": WorkflowIDConflictPolicy.USE_EXISTING,
        "id_reuse_policy": WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        "search_attributes": TypedSearchAttributes(
            [
                SearchAttributePair(JOB_KIND, kind),
                SearchAttributePair(JOB_STEP, "begin"),
                SearchAttributePair(NEEDS_ATTENTION, False),
            ]
        ),
        "static_summary": OperatorText(summary),
        "priority": priority,
    }


def _setup(order: CardSetupOrder, *, queue_prefix: str) -> dict[str, Any]:
    return _common(
        card_setup_workflow_id(order.setup_id),
        "card-setup",
        "Add one card",
        asked_by(order.fan_id, Urgency.AWAITED),
        queue_prefix=queue_prefix,
    )


async def set_up_now(
    client: Client, order: CardSetupOrder, *, queue_prefix: str, patience: timedelta
) -> CardSetupOutcome:
    """Start the run, or find the one that is there, and hear that the form is ready.

    Raises:
        WorkflowUpdateRPCTimeoutOrCancelledError: not ready after `patience`; the run goes on.
        RPCError, RuntimeError: Temporal is away.
    """
    start = WithStartWorkflowOperation(
        SetUpCard.run, order, **_setup(order, queue_prefix=queue_prefix)
    )
    return await heard(
        client.execute_update_with_start_workflow(
            SetUpCard.form, start_workflow_operation=start, rpc_timeout=patience
        ),
        start,
    )


async def tend_setup(client: Client, order: CardSetupOrder, *, queue_prefix: str) -> str:
    """See to it that an open setup has a run; returns the workflow's id."""
    arguments = _setup(order, queue_prefix=queue_prefix)
    await client.start_workflow(SetUpCard.run, order, **arguments)
    return str(arguments["id"])


async def begin_removal(client: Client, order: CardRemovalOrder, *, queue_prefix: str) -> str:
    """Start the run that has Stripe forget a card; returns the workflow's id."""
    workflow_id = card_removal_workflow_id(order.payment_method_id)
    arguments = _common(
        workflow_id,
        "card-removal",
        "Forget one card",
        at(Urgency.LATER),
        queue_prefix=queue_prefix,
    )
    await client.start_workflow(RemoveCard.run, order, **arguments)
    return workflow_id


async def look_now(client: Client, workflow_id: str, *, patience: timedelta) -> CardSetupOutcome:
    """Have a run look at its setup, and hear what it found.

    Raises:
        WorkflowUpdateRPCTimeoutOrCancelledError: nothing to say yet after `patience`.
        RPCError: with NOT_FOUND there is no such run any more, and the row says how it ended.
    """
    handle = client.get_workflow_handle(workflow_id)
    return await handle.execute_update(SetUpCard.confirmed, rpc_timeout=patience)
