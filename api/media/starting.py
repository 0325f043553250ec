"""Starting the runs of media whose rows are already committed."""

from __future__ import annotations

from api.parts import Parts
from infra.models import Media
from workflows.media.messages import DeleteMediaInput, IngestInput
from workflows.media.start import start_deletion, start_ingest


async def begin_ingest(
    parts: Parts, media: Media, *, only_renditions: tuple[str, ...] = ()
) -> bool:
    """Start the run of the media's latest generation; False where the sweep will have to."""
    job = IngestInput(
        media_id=media.id,
        creator_id=media.owner_id,
        generation=media.generation,
        only_renditions=only_renditions,
    )
    start = start_ingest(
        parts.temporal, job, queue_prefix=parts.settings.task_queue_prefix, kind=media.kind
    )
    return await parts.starter.begin(start, what="ingest", media_id=media.id)


async def begin_deletion(parts: Parts, media: Media, *, requested_by: str) -> bool:
    """Start the erasure of a row that is `deleted`; False where the sweep will have to."""
    order = DeleteMediaInput(
        media_id=media.id,
        requested_by=requested_by,
        ingest_workflow_ids=(media.workflow_id,) if media.workflow_id else (),
    )
    start = start_deletion(
        parts.temporal,
        order,
        creator_id=media.owner_id,
        queue_prefix=parts.settings.task_queue_prefix,
    )
    return await parts.starter.begin(start, what="deletion", media_id=media.id)
