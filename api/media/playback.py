"""Routes that decide: may this viewer play it, and may they see these hundred."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, BackgroundTasks, Response

from api import API_PREFIX
from api.answers import json_answer
from api.auth.callers import AnyCaller
from api.auth.origin import RequestOrigin
from api.media import schemas
from api.media.addresses import storyboard, streamed, urls_expire_at
from api.media.managing import audit_staff_view
from api.media.tickets import published_generation, start_ticket
from api.media.views import access_json, rendition_json
from api.parts import ApiParts
from api.problems import PROBLEMS
from domain.errors import Invalid
from infra.models.refunds import AccessedItem
from infra.queries.access import open_media

router = APIRouter(prefix=API_PREFIX, tags=["playback"], responses=PROBLEMS)


@router.post("/media/{media_id}/playback", operation_id="startPlayback")
async def start_playback(
    media_id: UUID,
    caller: AnyCaller,
    parts: ApiParts,
    origin: RequestOrigin,
    background: BackgroundTasks,
) -> schemas.PlaybackBody:
    """Short-lived addresses of the whole media, if this viewer may see it.

    Video and audio: a master playlist that a bare `<video>` element or hls.js plays without
    headers. Pictures: signed addresses of the renditions. Who may know of the media and has no
    right to it gets 402 with the offers that would open it.
    """
    now = parts.now()
    opened = await open_media(parts.reads, caller=caller, media_id=str(media_id), now=now)
    opened.require_allowed()
    published_generation(opened.media)
    await audit_staff_view(parts, opened, "media.played")
    viewer, item_id = opened.viewer, opened.media.id
    if parts.access_log.is_news(viewer, opened.decision, AccessedItem.MEDIA, item_id, now):
        background.add_task(
            parts.access_log.note,
            viewer,
            creator_id=opened.media.owner_id,
            item=AccessedItem.MEDIA,
            item_ids=[item_id],
            origin=origin,
            at=now,
        )
    base = f"{parts.settings.api_public_url.rstrip('/')}{API_PREFIX}/media/{media_id}"
    token = start_ticket(parts, opened, session_id=caller.session_id, now=now)
    return schemas.PlaybackBody(
        media_id=opened.media.id,
        kind=opened.media.media_kind,
        access=schemas.AccessBody.of(opened.decision),
        hls_url=f"{base}/hls/master.m3u8?token={token}" if streamed(opened) else None,
        storyboard_url=f"{base}/storyboard.vtt?token={token}" if storyboard(opened) else None,
        renditions=[
            schemas.RenditionBody(**rendition_json(parts, each)) for each in opened.renditions
        ],
        expires_at=urls_expire_at(parts, now),
    )


@router.post(
    "/media:batchAccess", operation_id="batchAccess", response_model=schemas.BatchAccessBody
)
async def batch_access(
    request: schemas.BatchAccessRequest, caller: AnyCaller, parts: ApiParts
) -> Response:
    """Decide for up to a hundred media at once, in the order asked.

    What does not exist and what the caller may not know of are both `hidden`.
    """
    most = parts.settings.batch_access_max
    if len(request.media_ids) > most:
        raise Invalid(
            f"Up to {most} ids can be asked for at once.", code="too_many_ids", limit=most
        )
    ids = request.media_ids
    decisions = await parts.decisions.decide_many(caller=caller, media_ids=ids, now=parts.now())
    # Most of a page share one decision.
    written = {decision: access_json(decision) for decision in set(decisions)}
    return json_answer(
        {
            "data": [
                {"media_id": media_id, **written[decision]}
                for media_id, decision in zip(ids, decisions, strict=True)
            ]
        }
    )
