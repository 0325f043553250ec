"""Routes of media: see, list, edit, delete, process again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Path, Query, Response

from api import API_PREFIX
from api.answers import json_answer
from api.auth.callers import AnyCaller, SignedInCaller
from api.etags import IfMatch, etag_of, require_if_match
from api.media import schemas
from api.media.managing import (
    audit_staff_view,
    cancel_processing,
    change_media,
    delete_media,
    open_own,
    release_held,
    reprocess_media,
)
from api.media.views import media_item, media_json
from api.parts import ApiParts, Parts
from api.problems import PROBLEMS
from api.schemas import PageQuery
from domain.media.states import MediaKind, MediaState
from domain.paging import cursor_for, keyset_from
from infra.queries.access import OpenedMedia, open_media
from infra.queries.media import list_own_media

router = APIRouter(prefix=f"{API_PREFIX}/media", tags=["media"], responses=PROBLEMS)

RenditionName = Annotated[
    str, Path(pattern=r"^[A-Za-z0-9._-]{1,64}$", description="As in `renditions[].name`.")
]


class ListQuery(PageQuery):
    """Filters of the owner's list."""

    state: MediaState | None = None
    kind: MediaKind | None = None


@router.get("", operation_id="listMedia")
async def list_media(
    query: Annotated[ListQuery, Query()], caller: SignedInCaller, parts: ApiParts
) -> schemas.MediaPage:
    """The caller's own media, newest first."""
    after = keyset_from(query.cursor) if query.cursor is not None else None
    listed, last = await list_own_media(
        parts.reads,
        caller=caller.caller,
        limit=query.limit,
        after=after,
        state=query.state,
        kind=query.kind,
    )
    return schemas.MediaPage(
        data=[media_item(parts, each.media, each.thumbnail) for each in listed],
        next_cursor=cursor_for(last) if last else None,
        has_more=last is not None,
    )


@router.get("/{media_id}", operation_id="getMedia", response_model=schemas.MediaBody)
async def get_media(media_id: UUID, caller: AnyCaller, parts: ApiParts) -> Response:
    """A media as the caller may see it.

    Its owner sees everything, with progress and reasons; an entitled viewer sees the media and
    addresses of its renditions; to others a gated media is locked: blurred preview, kind, size
    and duration. Who may not know of it gets 404.
    """
    now = parts.now()
    opened = await open_media(parts.reads, caller=caller, media_id=str(media_id), now=now)
    await audit_staff_view(parts, opened, "media.viewed")
    return _media_answer(parts, opened, now=now)


@router.patch("/{media_id}", operation_id="editMedia", response_model=schemas.MediaBody)
async def edit_media(
    media_id: UUID,
    patch: schemas.MediaPatch,
    caller: SignedInCaller,
    parts: ApiParts,
    if_match: IfMatch = None,
) -> Response:
    """Change title, alternative text or visibility. Needs `If-Match` with the media's ETag.

    What a post that is not public carries can't become `public`: everybody would see it.
    """
    opened = await open_own(parts, caller=caller, media_id=str(media_id))
    expected = require_if_match(if_match)
    await change_media(parts, opened, patch.model_dump(exclude_unset=True), if_match=expected)
    now = parts.now()
    edited = await open_media(parts.reads, caller=caller.caller, media_id=str(media_id), now=now)
    return _media_answer(parts, edited, now=now)


@router.delete("/{media_id}", operation_id="deleteMedia", status_code=202)
async def delete(media_id: UUID, caller: SignedInCaller, parts: ApiParts) -> Response:
    """Hide a media at once and erase every object of it. Processing is cancelled."""
    await delete_media(parts, caller=caller, media_id=str(media_id))
    return _accepted(str(media_id))


@router.post("/{media_id}/reprocess", operation_id="reprocessMedia", status_code=202)
async def reprocess(
    media_id: UUID,
    caller: SignedInCaller,
    parts: ApiParts,
    request: Annotated[schemas.ReprocessRequest | None, Body()] = None,
) -> Response:
    """Make renditions again from the original, all or those named, as a new generation.

    What is published stays until the new generation replaces it.
    """
    await reprocess_media(
        parts,
        caller=caller,
        media_id=str(media_id),
        renditions=request.renditions if request else (),
    )
    return _accepted(str(media_id))


@router.post("/{media_id}/renditions/{name}/retry", operation_id="retryRendition", status_code=202)
async def retry_rendition(
    media_id: UUID, name: RenditionName, caller: SignedInCaller, parts: ApiParts
) -> Response:
    """Make one rendition again; the others are kept."""
    await reprocess_media(parts, caller=caller, media_id=str(media_id), renditions=(name,))
    return _accepted(str(media_id))


@router.post("/{media_id}/cancel", operation_id="cancelProcessing", status_code=202)
async def cancel(media_id: UUID, caller: SignedInCaller, parts: ApiParts) -> Response:
    """End the processing of a media and delete what it has made so far."""
    await cancel_processing(parts, caller=caller, media_id=str(media_id))
    return _accepted(str(media_id))


@router.post("/{media_id}/release", operation_id="releaseMedia", status_code=204)
async def release(media_id: UUID, caller: SignedInCaller, parts: ApiParts) -> None:
    """For moderators: publish a media in state `held` after looking at it."""
    await release_held(parts, caller=caller, media_id=str(media_id))


def _media_answer(parts: Parts, opened: OpenedMedia, *, now: datetime) -> Response:
    return json_answer(
        media_json(parts, opened, now=now), headers={"etag": etag_of(opened.media.version)}
    )


def _accepted(media_id: str) -> Response:
    return Response(status_code=202, headers={"location": f"{API_PREFIX}/media/{media_id}"})
