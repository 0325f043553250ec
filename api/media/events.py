"""Progress of one media as Server-Sent Events.

Postgres first: the first event is how the media stands now, whoever asks and however often
they reconnect. Then what Valkey tells live. Whenever nothing was heard for a while, and
before the stream ends, Postgres is asked again: it is the one that knows.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header
from fastapi.sse import EventSourceResponse, ServerSentEvent

from api import API_PREFIX
from api.auth.callers import SignedIn, SignedInCaller
from api.media.managing import open_managed
from api.media.schemas import ProgressEventBody
from api.media.views import rejection_body
from api.parts import ApiParts, Parts
from api.problems import PROBLEMS
from domain.errors import FansworldError
from domain.media.states import MediaState
from infra.queries.access import MediaRecord, OpenedMedia
from infra.redis import ProgressEvent, follow_progress

RETRY_MILLISECONDS = 2000

router = APIRouter(prefix=f"{API_PREFIX}/media", tags=["media"], responses=PROBLEMS)


async def _followed(media_id: UUID, caller: SignedInCaller, parts: ApiParts) -> OpenedMedia:
    """Before the stream begins, so that a refusal is a problem and not an empty stream."""
    return await open_managed(parts, caller=caller, media_id=str(media_id))


@router.get("/{media_id}/events", operation_id="followMedia", response_class=EventSourceResponse)
async def follow_media(
    opened: Annotated[OpenedMedia, Depends(_followed)],
    caller: SignedInCaller,
    parts: ApiParts,
    last_event_id: Annotated[str | None, Header(max_length=64)] = None,
) -> AsyncIterator[ServerSentEvent]:
    """Progress of a media until it reaches a final state. Owner and staff only.

    Events are `progress` and, last, `done`; both carry the same fields. A client that
    reconnects may send `Last-Event-ID`; comments keep the connection alive.
    """
    media = opened.media
    yield _event(_from_row(media, parts.now()), retry=RETRY_MILLISECONDS)
    if media.media_state.is_final:
        return
    state = media.media_state
    percent = media.progress_percent
    live = follow_progress(parts.valkey, media.id, last_event_id, generation=media.generation)
    async for heard in live:
        if heard is not None and not heard[1].is_final:
            state = _later(state, MediaState(heard[1].state))
            # A step that is tried again tells of less than its last attempt did.
            percent = max(percent, heard[1].percent)
            yield _event(_from_live(heard[1], state, percent), entry_id=heard[0])
            continue
        row = await _row_now(parts, caller=caller, media_id=media.id)
        if row is None:
            return
        state = row.media_state
        # The row is written coarsely, so it may know of less than was told.
        percent = max(percent if row.generation == media.generation else 0, row.progress_percent)
        told = _from_row(row, parts.now()).model_copy(update={"percent": percent})
        yield _event(told, entry_id=heard[0] if heard else None)
        if state.is_final:
            return


async def _row_now(parts: Parts, *, caller: SignedIn, media_id: str) -> MediaRecord | None:
    """The row, or None where the stream should end: the media is deleted, the account closed,
    or the database is away, and a client that reconnects will be told which."""
    try:
        return (await open_managed(parts, caller=caller, media_id=media_id)).media
    except FansworldError:
        return None


def _later(known: MediaState, told: MediaState) -> MediaState:
    """A step of a later pass says `processing` of what is playable already."""
    is_less = known is MediaState.PLAYABLE and told is MediaState.PROCESSING
    return known if is_less else told


def _from_row(media: MediaRecord, now: datetime) -> ProgressEventBody:
    return ProgressEventBody(
        media_id=media.id,
        generation=media.generation,
        state=media.media_state,
        step=media.step,
        percent=media.progress_percent,
        note=media.progress_note,
        needs_attention=media.needs_attention,
        rejection=rejection_body(media),
        at=now,
    )


def _from_live(event: ProgressEvent, state: MediaState, percent: int) -> ProgressEventBody:
    return ProgressEventBody(
        media_id=event.media_id,
        generation=event.generation,
        state=state,
        step=event.step,
        percent=percent,
        note=event.note,
        at=event.at,
    )


def _event(
    body: ProgressEventBody, *, entry_id: str | None = None, retry: int | None = None
) -> ServerSentEvent:
    name = "done" if body.state.is_final else "progress"
    return ServerSentEvent(data=body, event=name, id=entry_id, retry=retry)
