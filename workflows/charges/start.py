"""How paying once is started. Called by the API and by the sweep; never by a workflow."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio.client import Client, WithStartWorkflowOperation
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.service import RPCError, RPCStatusCode

from domain.charges.states import ChargeKind
from domain.operators import OperatorText
from workflows.attributes import CREATOR_ID, JOB_KIND, JOB_STEP, NEEDS_ATTENTION
from workflows.charges.messages import ChargeOrder, ChargeOutcome
from workflows.charges.paying import PaysOnce
from workflows.gifts.give import GiveGift
from workflows.hearing import heard
from workflows.queues import Queue, queue_name
from workflows.tips.send import SendTip
from workflows.unlocks.unlock import UnlockContent
from workflows.urgency import Urgency, asked_by

_RUNS: dict[ChargeKind, type[PaysOnce]] = {
    ChargeKind.UNLOCK: UnlockContent,
    ChargeKind.TIP: SendTip,
    ChargeKind.GIFT: GiveGift,
}
_SUMMARIES = {
    ChargeKind.UNLOCK: "Sell one post to one fan",
    ChargeKind.TIP: "Send one tip",
    ChargeKind.GIFT: "Give one gift",
}


def _arguments(order: ChargeOrder, *, queue_prefix: str) -> dict[str, Any]:
    return {
        "args": [order],
        "id": order.workflow_id,
        "task_queue": queue_name(Queue.WORKFLOWS, prefix=queue_prefix),
        "id_conflict_policy": WorkflowIDConflictPolicy.USE_EXISTING,
        "id_reuse_policy": WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        "search_attributes": TypedSearchAttributes(
            [
                SearchAttributePair(JOB_KIND, order.kind.value),
                SearchAttributePair(JOB_STEP, "charge"),
                SearchAttributePair(CREATOR_ID, order.creator_id),
                SearchAttributePair(NEEDS_ATTENTION, False),
            ]
        ),
        "static_summary": OperatorText(_SUMMARIES[order.kind]),
        "priority": asked_by(order.fan_id, Urgency.LATER if order.off_session else Urgency.AWAITED),
    }


async def pay_now(
    client: Client, order: ChargeOrder, *, queue_prefix: str, patience: timedelta
) -> ChargeOutcome:
    """Start the run, or find the one that is there, and hear how the try stands.

    Raises:
        WorkflowUpdateRPCTimeoutOrCancelledError: nothing to say yet after `patience`; the run
            goes on.
        RPCError, RuntimeError: Temporal is away; whether a run was started is not known.
    """
    for is_last in (False, False, True):
        start: WithStartWorkflowOperation[PaysOnce, ChargeOutcome] = WithStartWorkflowOperation(
            _RUNS[order.kind].__name__, **_arguments(order, queue_prefix=queue_prefix)
        )
        try:
            return await heard(
                client.execute_update_with_start_workflow(
                    PaysOnce.pay, order, start_workflow_operation=start, rpc_timeout=patience
                ),
                start,
            )
        except RPCError as error:
            # The run of an earlier try ended just as it was asked: now there is room for another.
            if is_last or error.status is not RPCStatusCode.NOT_FOUND:
                raise
    raise AssertionError("the last try returns or raises")


async def tend_paying(client: Client, order: ChargeOrder, *, queue_prefix: str) -> str:
    """See to it that what is to be paid has a run; returns the workflow's id."""
    await client.start_workflow(
        _RUNS[order.kind].__name__, **_arguments(order, queue_prefix=queue_prefix)
    )
    return order.workflow_id


async def confirm_now(client: Client, workflow_id: str, *, patience: timedelta) -> ChargeOutcome:
    """Have a run look at its charge, and hear what it found.

    Raises:
        WorkflowUpdateRPCTimeoutOrCancelledError: nothing to say yet after `patience`.
        RPCError: with NOT_FOUND there is no such run any more, and the row says how it ended.
    """
    handle = client.get_workflow_handle(workflow_id)
    return await handle.execute_update(PaysOnce.confirmed, rpc_timeout=patience)
