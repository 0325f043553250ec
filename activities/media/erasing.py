"""Deletion: every object of a media in every bucket, the CDN's copies, the renditions."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import structlog
from sqlalchemy import delete, update
from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from activities.errors import typed_failures
from activities.parts import WorkerParts
from domain.errors import Conflict
from domain.media.states import MediaState
from infra.db import transaction
from infra.models import AuditEntry, EncodedChunk, Media, Rendition
from infra.queries import audit
from workflows.declarations import implements
from workflows.media import steps
from workflows.media.messages import DeletedMedia, DeleteMediaInput

log = structlog.get_logger(__name__)

CLOSING_POLL_SECONDS = 0.5
ERASING_BEAT_SECONDS = 5.0


async def is_running(client: Client, workflow_id: str) -> bool:
    """Whether a run of that id is open. One that never was is not."""
    try:
        description = await client.get_workflow_handle(workflow_id).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return description.status is WorkflowExecutionStatus.RUNNING


class EraseActivities:
    """Erasing of deleted media."""

    def __init__(self, parts: WorkerParts) -> None:
        self._parts = parts

    @implements(steps.erase_media)
    async def erase_media(self, order: DeleteMediaInput) -> DeletedMedia:
        """Waits until ingest has let go, so that nothing is written after the deletion."""
        for workflow_id in order.ingest_workflow_ids:
            while await is_running(self._parts.temporal, workflow_id):
                activity.heartbeat(f"waiting for {workflow_id}")
                await asyncio.sleep(CLOSING_POLL_SECONDS)
        erasing = asyncio.ensure_future(asyncio.to_thread(self._erase, order))
        # A long video has thousands of objects, and a CDN that is slow to purge them.
        while not (await asyncio.wait({erasing}, timeout=ERASING_BEAT_SECONDS))[0]:
            activity.heartbeat("erasing")
        with typed_failures():
            return await erasing

    def _erase(self, order: DeleteMediaInput) -> DeletedMedia:
        media = self._read(order.media_id)
        storage = self._parts.storage
        storage.delete(storage.quarantine, media.original_key)
        prefix = f"{order.media_id}/"
        objects = 1 + sum(
            storage.delete_prefix(bucket, f"{root}/{prefix}")
            for bucket, root in (
                (storage.media, "m"),
                (storage.media, "work"),
                (storage.public, "p"),
            )
        )
        # By prefix: rows of a generation that was given up in mid-way are gone already, yet
        # the CDN may hold what was watched of it.
        purged = self._parts.cdn.purge([f"m/{prefix}", f"p/{prefix}"])
        self._write(order, objects=objects)
        self._parts.scratch.forget(media.original_key)
        log.info("media erased", media_id=order.media_id, objects=objects)
        return DeletedMedia(objects=objects, purged_paths=purged)

    def _read(self, media_id: str) -> Media:
        """The media as a run finds it.

        Raises:
            Conflict: the row is not in state `deleted`; erasing it would be a mistake.
        """
        with transaction(self._parts.engine) as session:
            media = session.get_one(Media, media_id)
            if media.state != MediaState.DELETED:
                raise Conflict(
                    "only deleted media can be erased", media_id=media_id, state=media.state
                )
            session.expunge(media)
            return media

    def _write(self, order: DeleteMediaInput, *, objects: int) -> None:
        """The media row stays as a tombstone; its key goes, so no copy can ever be read."""
        with transaction(self._parts.engine) as session:
            session.execute(delete(Rendition).where(Rendition.media_id == order.media_id))
            session.execute(delete(EncodedChunk).where(EncodedChunk.media_id == order.media_id))
            session.execute(
                update(Media)
                .where(Media.id == order.media_id)
                .values(
                    erased_at=datetime.now(UTC),
                    original_deleted_at=datetime.now(UTC),
                    published_generation=None,
                    key_id=None,
                    key_wrapped=None,
                    thumbhash=None,
                    title=None,
                    alt_text=None,
                    file_name="",
                )
            )
            audit.record(
                session,
                AuditEntry(
                    actor_name=order.requested_by,
                    action="media.erased",
                    subject_type="media",
                    subject_id=order.media_id,
                    detail={"objects": objects},
                ),
                once=f"erased:{order.media_id}",
            )
