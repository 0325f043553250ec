"""The sweep: sets right what a crash or an absent client left behind.

Each part is one short query and then one action for each row found, so that a failure in the
middle leaves the rest to the next tick.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import ColumnElement, delete, select, update
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from activities.errors import typed_failures
from activities.media.records import RecordActivities
from activities.parts import WorkerParts
from domain.ids import delete_workflow_id, ingest_workflow_id
from domain.media.states import MediaState
from infra.db import transaction
from infra.models import Media, Upload
from infra.queries import ingest
from workflows.declarations import implements
from workflows.media import steps
from workflows.media.messages import DeleteMediaInput, IngestInput, MediaRef, SweepReport
from workflows.media.start import start_deletion, start_ingest

log = structlog.get_logger(__name__)

BATCH = 200
UNSTARTED_AFTER = timedelta(minutes=2)
"""A row untouched for so long should have a run that touches it."""
LINK_LIVES = 2
"""A transfer that began while its address held may end later."""


class SweepActivities:
    """What the schedule asks for."""

    def __init__(self, parts: WorkerParts, *, batch: int = BATCH) -> None:
        self._parts = parts
        self._batch = batch

    @implements(steps.sweep_media)
    async def sweep_media(self) -> SweepReport:
        with typed_failures():
            now = datetime.now(UTC)
            expired = await asyncio.to_thread(self._expire_uploads, now)
            await asyncio.to_thread(self._forget_uploads, now)
            started, failed = await self._tend_runs(now)
            restarted = await self._restart_deletions(now)
            retired = await asyncio.to_thread(self._retire_originals, now)
            retired += await asyncio.to_thread(self._retire_generations, now)
            report = SweepReport(
                expired_uploads=expired,
                started_runs=started,
                failed_runs=failed,
                restarted_deletions=restarted,
                retired_originals=retired,
            )
        log.info("swept", **vars(report))
        return report

    def _expire_uploads(self, now: datetime) -> int:
        """Close abandoned uploads, then delete what has arrived of them."""
        with transaction(self._parts.engine) as session:
            uploads = session.scalars(
                select(Upload)
                .where(Upload.state == "open", Upload.expires_at < now)
                .order_by(Upload.expires_at)
                .limit(BATCH)
                .with_for_update(skip_locked=True)
            ).all()
            for upload in uploads:
                upload.state = "expired"
                session.execute(
                    update(Media)
                    .where(Media.id == upload.media_id, Media.state == MediaState.UPLOADING)
                    .values(state=MediaState.EXPIRED.value, updated_at=now)
                )
        self._discard_expired(now)
        self._abort_forgotten(now)
        return len(uploads)

    def _discard_expired(self, now: datetime) -> None:
        """Also those that an earlier tick closed and then did not live to discard."""
        with transaction(self._parts.engine) as session:
            uploads = session.scalars(
                select(Upload)
                .join(Media, Media.id == Upload.media_id)
                .where(Media.state == MediaState.EXPIRED, Media.erased_at.is_(None))
                .order_by(Upload.expires_at)
                .limit(BATCH)
            ).all()
            session.expunge_all()
        storage = self._parts.storage
        for upload in uploads:
            if upload.multipart_id is not None:
                storage.abort_multipart(upload.object_key, upload.multipart_id)
            storage.delete(storage.quarantine, upload.object_key)
            with transaction(self._parts.engine) as session:
                session.execute(
                    update(Media).where(Media.id == upload.media_id).values(erased_at=now)
                )

    def _forget_uploads(self, now: datetime) -> None:
        """Uploads of erased media, once their addresses have run out: until then somebody may
        have sent the file again, to where nothing looks any more."""
        ttl = timedelta(seconds=self._parts.settings.upload_link_ttl_seconds)
        with transaction(self._parts.engine) as session:
            uploads = session.scalars(
                select(Upload)
                .join(Media, Media.id == Upload.media_id)
                .where(Media.erased_at < now - LINK_LIVES * ttl, Upload.state != "open")
                .limit(BATCH)
            ).all()
            session.expunge_all()
        storage = self._parts.storage
        for upload in uploads:
            storage.delete(storage.quarantine, upload.object_key)
            with transaction(self._parts.engine) as session:
                session.execute(delete(Upload).where(Upload.id == upload.id))

    def _abort_forgotten(self, now: datetime) -> None:
        """Multipart uploads of which no row knows: begun just before a crash. The lifecycle of
        the buckets aborts them too, where a store honours it."""
        storage = self._parts.storage
        before = now - 2 * timedelta(seconds=self._parts.settings.upload_expiry_seconds)
        for forgotten in storage.list_stale_multiparts(before=before):
            storage.abort_multipart(forgotten.key, forgotten.multipart_id)

    async def _tend_runs(self, now: datetime) -> tuple[int, int]:
        """Start what was never started; mark what an operator ended from outside."""
        started = failed = 0
        quiet = (
            Media.state.in_([MediaState.PROCESSING, MediaState.PLAYABLE]),
            Media.updated_at < now - UNSTARTED_AFTER,
        )
        async for media in self._all_media(*quiet):
            workflow_id = ingest_workflow_id(media.id, media.generation)
            status = await self._status(workflow_id)
            if status is WorkflowExecutionStatus.RUNNING:
                continue
            if status is None:
                await start_ingest(
                    self._parts.temporal,
                    IngestInput(media.id, media.owner_id, media.generation, _only(media)),
                    queue_prefix=self._parts.settings.task_queue_prefix,
                    kind=media.kind,
                )
                started += 1
            elif await asyncio.to_thread(self._mark_failed, media, status):
                failed += 1
                await asyncio.to_thread(
                    RecordActivities(self._parts).discard_generation,
                    MediaRef(media.id, media.generation),
                )
        return started, failed

    async def _all_media(self, *conditions: ColumnElement[bool]) -> AsyncIterator[Media]:
        """Batch by batch to the end: those whose runs do well, or wait for an operator, stay
        where they are, and may be so many that the others would never have their turn."""

        def batch_after(media_id: str | None) -> Sequence[Media]:
            further = [] if media_id is None else [Media.id > media_id]
            with transaction(self._parts.engine) as session:
                rows = session.scalars(
                    select(Media).where(*conditions, *further).order_by(Media.id).limit(self._batch)
                ).all()
                session.expunge_all()
                return rows

        last: str | None = None
        while rows := await asyncio.to_thread(batch_after, last):
            for media in rows:
                yield media
            last = rows[-1].id

    async def _status(self, workflow_id: str) -> WorkflowExecutionStatus | None:
        try:
            description = await self._parts.temporal.get_workflow_handle(workflow_id).describe()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise
        return description.status

    def _mark_failed(self, media: Media, status: WorkflowExecutionStatus) -> bool:
        """False where the run came to its end, or another began, since we looked at the row."""
        with transaction(self._parts.engine) as session:
            try:
                row = ingest.load_media(session, media.id, generation=media.generation, lock=True)
            except ingest.StaleRun:
                return False
            if row.state not in (MediaState.PROCESSING, MediaState.PLAYABLE):
                return False
            note = f"The run was ended from outside ({status.name.lower()}); process it again."
            ingest.move_state(row, MediaState.FAILED, note=note)
        log.warning("run ended without a result", media_id=media.id, status=status.name)
        return True

    async def _restart_deletions(self, now: datetime) -> int:
        restarted = 0
        unerased = (
            Media.state == MediaState.DELETED,
            Media.erased_at.is_(None),
            Media.deleted_at < now - UNSTARTED_AFTER,
        )
        async for media in self._all_media(*unerased):
            status = await self._status(delete_workflow_id(media.id))
            if status is WorkflowExecutionStatus.RUNNING:
                continue
            await start_deletion(
                self._parts.temporal,
                DeleteMediaInput(
                    media_id=media.id,
                    ingest_workflow_ids=(ingest_workflow_id(media.id, media.generation),),
                ),
                creator_id=media.owner_id,
                queue_prefix=self._parts.settings.task_queue_prefix,
            )
            restarted += 1
        return restarted

    def _retire_originals(self, now: datetime) -> int:
        """Refused originals whose time as evidence is over."""
        with transaction(self._parts.engine) as session:
            due = session.scalars(
                select(Media)
                .where(
                    Media.retain_original_until < now,
                    Media.original_deleted_at.is_(None),
                    Media.state == MediaState.REJECTED,
                )
                .limit(BATCH)
            ).all()
            session.expunge_all()
        for media in due:
            self._parts.storage.delete(self._parts.storage.quarantine, media.original_key)
            with transaction(self._parts.engine) as session:
                session.execute(
                    update(Media).where(Media.id == media.id).values(original_deleted_at=now)
                )
        return len(due)

    def _retire_generations(self, now: datetime) -> int:
        """Objects of generations no longer served, once links to them have run out."""
        horizon = now - timedelta(seconds=2 * self._parts.settings.segment_url_ttl_seconds)
        with transaction(self._parts.engine) as session:
            due = ingest.superseded_generations(session, before=horizon, limit=BATCH)
        for media_id, generation in due:
            with transaction(self._parts.engine) as session:
                objects = ingest.unreferenced_objects(session, media_id=media_id)
            for bucket, key, is_prefix in objects:
                if is_prefix:
                    self._parts.storage.delete_prefix(bucket, key)
                else:
                    self._parts.storage.delete(bucket, key)
            with transaction(self._parts.engine) as session:
                ingest.forget_generation(session, media_id=media_id, generation=generation)
        return len(due)


def _only(media: Media) -> tuple[str, ...]:
    """Which renditions the unstarted run was asked to make again."""
    return tuple((media.plan or {}).get("only_renditions", ()))
