"""How media runs are started: ids, reuse, labels and search attributes in one place.

Called by the API and by the sweep; never by a workflow.
"""

from __future__ import annotations

from temporalio.client import Client
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError

from domain.ids import delete_workflow_id, ingest_workflow_id
from domain.operators import OperatorText
from workflows.attributes import CREATOR_ID, JOB_KIND, JOB_STEP, MEDIA_ID, NEEDS_ATTENTION
from workflows.media.delete import DeleteMedia
from workflows.media.ingest import IngestMedia
from workflows.media.messages import DeleteMediaInput, IngestInput
from workflows.queues import Queue, queue_name
from workflows.urgency import Urgency, asked_by


async def start_ingest(client: Client, job: IngestInput, *, queue_prefix: str, kind: str) -> str:
    """Start ingest, or find the run that is already there; returns the workflow's id.

    A finished run is not started again: its result stands. `kind` is for the label only.
    """
    workflow_id = ingest_workflow_id(job.media_id, job.generation)
    verb = "Ingest" if job.generation == 1 else f"Re-process (generation {job.generation})"
    try:
        await client.start_workflow(
            IngestMedia.run,
            job,
            id=workflow_id,
            task_queue=queue_name(Queue.WORKFLOWS, prefix=queue_prefix),
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
            search_attributes=_attributes(
                "ingest", creator_id=job.creator_id, media_id=job.media_id
            ),
            static_summary=OperatorText(f"{verb} of one {kind}"),
            static_details=_INGEST_DETAILS,
            priority=asked_by(job.creator_id, Urgency.SOON),
        )
    except WorkflowAlreadyStartedError:
        return workflow_id
    return workflow_id


async def start_deletion(
    client: Client, order: DeleteMediaInput, *, creator_id: str, queue_prefix: str
) -> str:
    """Start deletion, or find the run that is already there; returns the workflow's id."""
    workflow_id = delete_workflow_id(order.media_id)
    try:
        await client.start_workflow(
            DeleteMedia.run,
            order,
            id=workflow_id,
            task_queue=queue_name(Queue.WORKFLOWS, prefix=queue_prefix),
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
            search_attributes=_attributes("delete", creator_id=creator_id, media_id=order.media_id),
            static_summary=OperatorText("Delete one media everywhere"),
            priority=asked_by(creator_id, Urgency.LATER),
        )
    except WorkflowAlreadyStartedError:
        return workflow_id
    return workflow_id


def _attributes(kind: str, *, creator_id: str, media_id: str) -> TypedSearchAttributes:
    return TypedSearchAttributes(
        [
            SearchAttributePair(JOB_KIND, kind),
            SearchAttributePair(JOB_STEP, "queued"),
            SearchAttributePair(CREATOR_ID, creator_id),
            SearchAttributePair(MEDIA_ID, media_id),
            SearchAttributePair(NEEDS_ATTENTION, False),
        ]
    )


_INGEST_DETAILS = OperatorText("""\
Brings an uploaded file from quarantine to renditions that can be served.

| step | what it does |
| --- | --- |
| inspect | one read: size, SHA-256, type by content, virus scan |
| render | pictures: every rendition from one decode |
| probe, audio, transcode | video and sound: ladder, loudness, encrypted segments |
| moderate, finish | judgement of frames; poster, storyboard, teaser |
| publish | one transaction switches what is served |

When a step's retries are spent the run waits here with `NeedsAttention = true`; the current \
details say what to do.
""")
