"""Starting runs for rows that are already committed.

A start that fails is not an error of the request: the row says what has to happen, and the
sweep starts what was left unstarted.
"""

from __future__ import annotations

import asyncio

import structlog
from temporalio.service import RPCError

from api.parts import Parts
from infra.models import Media
from workflows.media.messages import DeleteMediaInput, IngestInput
from workflows.media.start import start_deletion, start_ingest

TEMPORAL_SECONDS = 3.0
"""A server that answers at all answers within milliseconds."""

TEMPORAL_FAULTS = (RPCError, RuntimeError, TimeoutError)
"""RuntimeError is what the client raises when it can't connect."""

log = structlog.get_logger(__name__)


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
    try:
        async with asyncio.timeout(TEMPORAL_SECONDS):
            await start_ingest(
                parts.temporal,
                job,
                queue_prefix=parts.settings.task_queue_prefix,
                kind=media.kind,
            )
    except TEMPORAL_FAULTS as error:
        log.warning("ingest_left_to_sweep", media_id=media.id, why=str(error) or "time-out")
        return False
    return True


async def begin_deletion(parts: Parts, media: Media, *, requested_by: str) -> bool:
    """Start the erasure of a row that is `deleted`; False where the sweep will have to."""
    order = DeleteMediaInput(
        media_id=media.id,
        requested_by=requested_by,
        ingest_workflow_ids=(media.workflow_id,) if media.workflow_id else (),
    )
    try:
        async with asyncio.timeout(TEMPORAL_SECONDS):
            await start_deletion(
                parts.temporal,
                order,
                creator_id=media.owner_id,
                queue_prefix=parts.settings.task_queue_prefix,
            )
    except TEMPORAL_FAULTS as error:
        log.warning("deletion_left_to_sweep", media_id=media.id, why=str(error) or "time-out")
        return False
    return True
