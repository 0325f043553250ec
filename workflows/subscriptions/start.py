"""How subscriptions' runs are started and spoken to. Called by the API, by activities and by the
sweep; never by a workflow."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from temporalio.client import Client, WithStartWorkflowOperation
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)

from domain.ids import subscription_workflow_id
from domain.operators import OperatorText
from workflows.attributes import CREATOR_ID, JOB_KIND, JOB_STEP, NEEDS_ATTENTION
from workflows.hearing import heard
from workflows.queues import Queue, queue_name
from workflows.subscriptions.messages import (
    Cancel,
    ChangeResult,
    ChangeTier,
    ConsentToPrice,
    Pause,
    SubscriptionLook,
    SubscriptionOrder,
    UseNewCard,
)
from workflows.subscriptions.subscription import KeepSubscription
from workflows.urgency import Urgency, asked_by

Wish = Cancel | Pause | ChangeTier | UseNewCard | ConsentToPrice | None
"""What a fan wishes; None: to resume."""


def _arguments(order: SubscriptionOrder, *, queue_prefix: str) -> dict[str, Any]:
    """Who is over may run again: the row says at once that it is over."""
    return {
        "args": [order],
        "id": subscription_workflow_id(order.subscription_id),
        "task_queue": queue_name(Queue.WORKFLOWS, prefix=queue_prefix),
        "id_conflict_policy": WorkflowIDConflictPolicy.USE_EXISTING,
        "id_reuse_policy": WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        "search_attributes": TypedSearchAttributes(
            [
                SearchAttributePair(JOB_KIND, "subscription"),
                SearchAttributePair(JOB_STEP, "tend"),
                SearchAttributePair(CREATOR_ID, order.creator_id),
                SearchAttributePair(NEEDS_ATTENTION, False),
            ]
        ),
        "static_summary": OperatorText("Keep one subscription"),
        "priority": asked_by(order.creator_id, Urgency.SOON),
    }


async def tend_keeping(
    client: Client, order: SubscriptionOrder, *, queue_prefix: str, signal: str = "row_changed"
) -> str:
    """Start the run of a subscription, or have the one that is there look at the row; returns
    the workflow's id.

    Args:
        signal: `row_changed`, or `banned` where an account was shut.
    """
    arguments = _arguments(order, queue_prefix=queue_prefix)
    await client.start_workflow(KeepSubscription.__name__, start_signal=signal, **arguments)
    return str(arguments["id"])


async def begin_now(
    client: Client, order: SubscriptionOrder, *, queue_prefix: str, patience: timedelta
) -> SubscriptionLook:
    """Start the run, or find the one that is there, and hear how the first payment stands.

    Raises:
        WorkflowUpdateRPCTimeoutOrCancelledError: nothing to say yet after `patience`; the run
            goes on.
        RPCError, RuntimeError: Temporal is away; whether a run was started is not known.
    """
    look = await _update(client, order, "begin", None, queue_prefix, patience)
    return cast(SubscriptionLook, look)


async def confirm_now(
    client: Client, order: SubscriptionOrder, *, queue_prefix: str, patience: timedelta
) -> SubscriptionLook:
    """Have the run look at the payment that the fan has confirmed; raises as `begin_now`."""
    look = await _update(client, order, "confirmed", None, queue_prefix, patience)
    return cast(SubscriptionLook, look)


async def change_now(
    client: Client, order: SubscriptionOrder, wish: Wish, *, queue_prefix: str, patience: timedelta
) -> ChangeResult:
    """Have a wish written down and fulfilled, by a run that is started where there is none;
    raises as `begin_now`."""
    name = "resume" if wish is None else _UPDATES[type(wish)]
    return cast(ChangeResult, await _update(client, order, name, wish, queue_prefix, patience))


async def _update(
    client: Client,
    order: SubscriptionOrder,
    name: str,
    wish: Wish,
    queue_prefix: str,
    patience: timedelta,
) -> Any:
    start: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
        KeepSubscription.__name__, **_arguments(order, queue_prefix=queue_prefix)
    )
    return await heard(
        client.execute_update_with_start_workflow(
            name,
            args=[] if wish is None else [wish],
            start_workflow_operation=start,
            rpc_timeout=patience,
            result_type=SubscriptionLook if name in _LOOKS else ChangeResult,
        ),
        start,
    )


_LOOKS = frozenset({"begin", "confirmed"})
_UPDATES: dict[type, str] = {
    Cancel: "cancel",
    Pause: "pause",
    ChangeTier: "change_tier",
    UseNewCard: "use_new_card",
    ConsentToPrice: "consent_to_price",
}
