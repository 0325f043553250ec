"""Short writes: how the run stands, the audit log, the switch to what is served."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from activities.errors import typed_failures
from activities.media.video.join import join_chunks
from activities.parts import WorkerParts
from activities.progress import Reporter, announce
from domain.errors import MediaRejected, StepBlocked, Unavailable
from domain.media.rejections import RejectionCode
from domain.media.states import IngestStep, MediaState
from infra.db import transaction
from infra.models import AuditEntry, Media
from infra.queries import audit, ingest
from workflows.declarations import implements
from workflows.media import steps
from workflows.media.messages import MarkInput, MediaRef, Published, PublishInput

log = structlog.get_logger(__name__)


class RecordActivities:
    """Writes that belong to a run as a whole."""

    def __init__(self, parts: WorkerParts) -> None:
        self._parts = parts

    @implements(steps.mark_media)
    def mark_media(self, mark: MarkInput) -> None:
        with transaction(self._parts.engine) as session:
            try:
                media = ingest.load_media(
                    session, mark.media_id, generation=mark.generation, lock=True
                )
            except ingest.StaleRun:
                log.info("run no longer speaks for its media", media_id=mark.media_id)
                return
            self._apply(session, media, mark)
            state, percent, note = MediaState(media.state), media.progress_percent, mark.note
        announce(
            self._parts,
            media_id=mark.media_id,
            generation=mark.generation,
            step=mark.step,
            percent=percent,
            note=note or mark.rejection_detail,
            state=state,
        )

    def _apply(self, session: Session, media: Media, mark: MarkInput) -> None:
        if mark.step is not None:
            media.step = mark.step
        if mark.note is not None:
            media.progress_note = mark.note
        if mark.needs_attention is not None:
            media.needs_attention = mark.needs_attention
        media.updated_at = datetime.now(UTC)
        if mark.state is None:
            return
        state = ingest.move_state(
            media,
            MediaState(mark.state),
            rejection_code=mark.rejection_code,
            rejection_detail=mark.rejection_detail,
            note=mark.note,
        )
        if state is MediaState.REJECTED:
            self._record_rejection(session, media)

    def _record_rejection(self, session: Session, media: Media) -> None:
        """Keep the original as policy says: longer, as evidence, where it is infected."""
        settings = self._parts.settings
        infected = media.rejection_code == RejectionCode.INFECTED
        media.retain_original_until = datetime.now(UTC) + timedelta(
            days=settings.quarantine_infected_retention_days
            if infected
            else settings.quarantine_rejected_retention_days
        )
        audit.record(
            session,
            AuditEntry(
                actor_name="system",
                action="media.rejected",
                subject_type="media",
                subject_id=media.id,
                detail={"code": media.rejection_code, "generation": media.generation},
            ),
            once=f"rejected:{media.id}:{media.generation}",
        )

    @implements(steps.publish_media)
    def publish_media(self, order: PublishInput) -> Published:
        living = Reporter(
            self._parts, order.media_id, order.generation, IngestStep.PUBLISH, silent=True
        )
        with typed_failures(), living.kept_alive():
            return self._publish(order)

    def _publish(self, order: PublishInput) -> Published:
        now = datetime.now(UTC)
        with transaction(self._parts.engine) as session:
            media = ingest.load_media(
                session, order.media_id, generation=order.generation, lock=True
            )
            join_chunks(session, media, self._parts)
            state = ingest.switch_generation(media, state=_target(media, order), now=now)
            count = len(
                ingest.renditions_of(session, media_id=media.id, generation=media.generation)
            )
            percent, key = media.progress_percent, media.original_key
        announce(
            self._parts,
            media_id=order.media_id,
            generation=order.generation,
            step=IngestStep.PUBLISH.value,
            percent=percent,
            state=state,
        )
        if state is not MediaState.PLAYABLE:
            self._forget_scratch(order, key)
        return Published(state=state.value, renditions=count)

    def _forget_scratch(self, order: PublishInput, original_key: str) -> None:
        """What the run needed and nothing will read again, here and in storage."""
        self._parts.scratch.forget(original_key)
        storage = self._parts.storage
        storage.delete_prefix(storage.media, f"work/{order.media_id}/{order.generation}/")

    @implements(steps.discard_generation)
    def discard_generation(self, ref: MediaRef) -> None:
        """Rows go last: until then they say what may still lie in storage."""
        with transaction(self._parts.engine) as session:
            media = session.get(Media, ref.media_id)
            is_served = media is not None and _serves(media, ref.generation)
            is_forbidden = media is not None and _is_forbidden(media)
        if is_served:
            return
        part = f"{ref.media_id}/" if is_forbidden else f"{ref.media_id}/{ref.generation}/"
        storage = self._parts.storage
        storage.delete_prefix(storage.media, f"m/{part}")
        storage.delete_prefix(storage.media, f"work/{part}")
        storage.delete_prefix(storage.public, f"p/{part}")
        if is_forbidden:
            self._purge(part)
        first = 1 if is_forbidden else ref.generation
        with transaction(self._parts.engine) as session:
            for generation in range(first, ref.generation + 1):
                ingest.forget_generation(session, media_id=ref.media_id, generation=generation)

    def _purge(self, part: str) -> None:
        """A hook that refuses is asked again too: this is no step that an operator is asked
        about, and giving up would leave forbidden content in the CDN.

        Raises:
            Unavailable: it did not take the call.
        """
        try:
            self._parts.cdn.purge([f"m/{part}", f"p/{part}"])
        except StepBlocked as error:
            raise Unavailable(error.message, code=error.code, **error.facts) from error


def _serves(media: Media, generation: int) -> bool:
    return media.published_generation == generation and MediaState(media.state).is_servable


def _is_forbidden(media: Media) -> bool:
    return media.rejection_code is not None and RejectionCode(media.rejection_code).forbids_serving


def _target(media: Media, order: PublishInput) -> MediaState:
    """Where the judgement lets this media go.

    Raises:
        MediaRejected: the block list matched.
    """
    if media.moderation_outcome == "block":
        raise MediaRejected(RejectionCode.BLOCKED_CONTENT)
    # A moderator may have judged meanwhile what the run could not.
    unjudged = IngestStep.MODERATE.value in order.skipped_steps and media.moderation_outcome is None
    if media.moderation_outcome == "hold" or unjudged:
        return MediaState.HELD
    return MediaState(order.stage)
