"""Processing a media again on an operator's word."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import select
from temporalio.client import Client

from domain.errors import NotFound
from infra.db import make_engine, transaction
from infra.models import AuditEntry, Media, Rendition
from infra.queries import audit
from infra.queries.generations import begin_generation
from infra.settings import Settings
from workflows.media.messages import IngestInput
from workflows.media.start import start_ingest


async def reprocess(
    settings: Settings,
    client: Client,
    media_id: str,
    *,
    renditions: Sequence[str],
    operator: str,
) -> str:
    """Begin a new generation and its run, as `POST /media/{id}/reprocess` does.

    Returns a sentence for the operator.

    Raises:
        NotFound: there is no such media, or it has no rendition of a name.
        Conflict: it can't be processed now; its message says why.
    """
    only = tuple(dict.fromkeys(renditions))
    job, kind = _begin(settings, media_id, only=only, operator=operator)
    workflow_id = await start_ingest(
        client, job, queue_prefix=settings.task_queue_prefix, kind=kind
    )
    return f"generation {job.generation} of {media_id} is made by {workflow_id}"


def _begin(
    settings: Settings, media_id: str, *, only: tuple[str, ...], operator: str
) -> tuple[IngestInput, str]:
    engine = make_engine(settings)
    try:
        with transaction(engine) as session:
            media = session.get(Media, media_id, with_for_update=True)
            if media is None:
                raise NotFound(f"There is no media {media_id}.", code="media_not_found")
            known = set(
                session.scalars(
                    select(Rendition.name).where(
                        Rendition.media_id == media_id,
                        Rendition.generation == media.published_generation,
                    )
                )
            )
            if unknown := [name for name in only if name not in known]:
                raise NotFound(
                    f"The media has no rendition {unknown[0]}; it has: {', '.join(sorted(known))}.",
                    code="rendition_unknown",
                )
            begin_generation(media, only_renditions=only, at=datetime.now(UTC))
            entry = AuditEntry(
                actor_name=operator,
                action="media.reprocessed",
                subject_type="media",
                subject_id=media_id,
                detail={"owner_id": media.owner_id, "renditions": ",".join(only)},
            )
            audit.record(session, entry)
            job = IngestInput(
                media_id=media.id,
                creator_id=media.owner_id,
                generation=media.generation,
                only_renditions=only,
            )
            return job, media.kind
    finally:
        engine.dispose()
