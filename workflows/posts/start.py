"""How publishing is started and told of changes. Called by the API and by the sweep; never by a
workflow."""

from __future__ import annotations

from temporalio.client import Client
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.service import RPCError, RPCStatusCode

from domain.ids import publish_workflow_id
from domain.operators import OperatorText
from workflows.attributes import CREATOR_ID, JOB_KIND, JOB_STEP, NEEDS_ATTENTION
from workflows.posts.messages import PublishPostOrder
from workflows.posts.publish import PublishPost
from workflows.queues import Queue, queue_name
from workflows.urgency import Urgency, asked_by


async def tend_publishing(client: Client, order: PublishPostOrder, *, queue_prefix: str) -> str:
    """Start the run of a scheduled post, or tell the one that is there to look at the row.

    Returns the workflow's id. Whoever is over may run again: a post can be scheduled anew.
    """
    workflow_id = publish_workflow_id(order.post_id)
    await client.start_workflow(
        PublishPost.run,
        order,
        id=workflow_id,
        task_queue=queue_name(Queue.WORKFLOWS, prefix=queue_prefix),
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        start_signal="row_changed",
        search_attributes=TypedSearchAttributes(
            [
                SearchAttributePair(JOB_KIND, "publish-post"),
                SearchAttributePair(JOB_STEP, "publish"),
                SearchAttributePair(CREATOR_ID, order.creator_id),
                SearchAttributePair(NEEDS_ATTENTION, False),
            ]
        ),
        static_summary=OperatorText("Publish one post when it is due"),
        priority=asked_by(order.creator_id, Urgency.SOON),
    )
    return workflow_id


async def tell_of_change(client: Client, post_id: str) -> str:
    """Have the run look at the row, if there is one; returns the workflow's id."""
    workflow_id = publish_workflow_id(post_id)
    try:
        await client.get_workflow_handle(workflow_id).signal(PublishPost.row_changed)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
    return workflow_id
