"""How sending is started. Called by the API and by the sweep; never by a workflow."""

from __future__ import annotations

from temporalio.client import Client
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError

from domain.ids import mail_workflow_id
from domain.operators import OperatorText
from workflows.attributes import JOB_KIND, JOB_STEP, NEEDS_ATTENTION
from workflows.mail.messages import MailOrder
from workflows.mail.send import SEND_STEP, SendMail
from workflows.queues import Queue, queue_name
from workflows.urgency import Urgency, at


async def start_mail(client: Client, mail_id: str, *, queue_prefix: str) -> str:
    """Start sending, or find the run that is already there; returns the workflow's id."""
    workflow_id = mail_workflow_id(mail_id)
    attributes = TypedSearchAttributes(
        [
            SearchAttributePair(JOB_KIND, "mail"),
            SearchAttributePair(JOB_STEP, SEND_STEP),
            SearchAttributePair(NEEDS_ATTENTION, False),
        ]
    )
    try:
        await client.start_workflow(
            SendMail.run,
            MailOrder(mail_id),
            id=workflow_id,
            task_queue=queue_name(Queue.WORKFLOWS, prefix=queue_prefix),
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
            search_attributes=attributes,
            static_summary=OperatorText("Send one mail"),
            priority=at(Urgency.SOON),
        )
    except WorkflowAlreadyStartedError:
        return workflow_id
    return workflow_id
