"""Playlists, keys and storyboards: text that is made anew for each viewer at each request.

A ticket in the query says who asks, so that players need no headers; whether they may is
decided here from the database every time, so that a right that was revoked ends at the next
request. Nothing is kept by caches.

    master.m3u8?token=START → {rendition}.m3u8?token=SESSION → key?token=SESSION
                                                             → signed segment addresses
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from anyio import to_thread
from fastapi import APIRouter, Query, Request, Response
from pydantic import StringConstraints

from api import API_PREFIX
from api.auth.callers import country_of
from api.media.addresses import object_url, storyboard
from api.media.items import RenditionName
from api.media.tickets import (
    read_ticket,
    require_generation,
    session_ticket,
    watching_seconds,
)
from api.parts import ApiParts, Parts
from api.problems import PROBLEMS
from domain.access import Caller
from domain.errors import Conflict, NotFound
from domain.media.hls import (
    HlsAudio,
    HlsSegment,
    HlsVariant,
    master_playlist,
    media_playlist,
    segment_iv,
    storyboard_vtt,
)
from domain.media.links import Ticket, TicketUse
from domain.media.renditions import StoryboardMeta, StreamMeta, init_key, segment_key
from domain.media.states import RenditionKind
from domain.media.video import storyboard_cues
from infra.queries.access import (
    OpenedMedia,
    StoredRendition,
    open_for_key,
    open_for_playlist,
    open_media,
)

PLAYLIST_TYPE = "application/vnd.apple.mpegurl"
VTT_TYPE = "text/vtt"
SIGN_IN_THREAD_ABOVE = 200
"""Segments; signing that many takes longer than the event loop should be held up."""

router = APIRouter(prefix=f"{API_PREFIX}/media/{{media_id}}", tags=["delivery"], responses=PROBLEMS)

Token = Annotated[
    str,
    Query(max_length=200, description="From the address that playback answered."),
    StringConstraints(min_length=1),
]


def _text(media_type: str) -> dict[int | str, dict[str, object]]:
    return {200: {"content": {media_type: {"schema": {"type": "string"}}}}}


@router.get(
    "/hls/master.m3u8",
    operation_id="getMasterPlaylist",
    response_class=Response,
    responses=_text(PLAYLIST_TYPE),
)
async def get_master_playlist(
    request: Request, media_id: UUID, token: Token, parts: ApiParts
) -> Response:
    """The master playlist: every rung and every sound track."""
    now = parts.now()
    ticket = read_ticket(parts, token, media_id=str(media_id), use=TicketUse.START, now=now)
    opened = await open_media(
        parts.reads, caller=_caller(ticket, request, parts), media_id=str(media_id), now=now
    )
    _require(opened, ticket)
    session = session_ticket(parts, ticket, opened.media, now=now)
    return _playlist(_master_playlist(opened, session))


@router.get(
    "/hls/{name}.m3u8",
    operation_id="getRenditionPlaylist",
    response_class=Response,
    responses=_text(PLAYLIST_TYPE),
)
async def get_rendition_playlist(
    request: Request, media_id: UUID, name: RenditionName, token: Token, parts: ApiParts
) -> Response:
    """The segments of one rung or sound track, each with an address of its own."""
    now = parts.now()
    ticket = read_ticket(parts, token, media_id=str(media_id), use=TicketUse.SESSION, now=now)
    opened = await open_for_playlist(
        parts.reads,
        caller=_caller(ticket, request, parts),
        media_id=str(media_id),
        now=now,
        name=name,
    )
    _require(opened, ticket)
    if not opened.renditions:
        raise NotFound(
            f"The media has no rendition {name}.", code="rendition_unknown", rendition=name
        )
    rendition = opened.renditions[0]
    if len(rendition.segments or ()) > SIGN_IN_THREAD_ABOVE:
        text = await to_thread.run_sync(_media_playlist, parts, opened, rendition, token)
    else:
        text = _media_playlist(parts, opened, rendition, token)
    return _playlist(text)


@router.get(
    "/hls/key",
    operation_id="getSegmentKey",
    response_class=Response,
    responses={
        200: {
            "content": {
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
            }
        }
    },
)
async def get_key(request: Request, media_id: UUID, token: Token, parts: ApiParts) -> Response:
    """The 16 bytes that open the segments, after a decision of this very moment."""
    now = parts.now()
    ticket = read_ticket(parts, token, media_id=str(media_id), use=TicketUse.SESSION, now=now)
    opened = await open_for_key(
        parts.reads, caller=_caller(ticket, request, parts), media_id=str(media_id), now=now
    )
    _require(opened, ticket)
    if opened.key_id is None or opened.key_wrapped is None:
        raise Conflict("This media has no key.", code="not_encrypted")
    key = parts.keys.unwrap(opened.key_id, opened.key_wrapped)
    return Response(key, media_type="application/octet-stream", headers=_PRIVATE)


_PRIVATE = {"cache-control": "private, no-store"}


@router.get(
    "/storyboard.vtt",
    operation_id="getStoryboard",
    response_class=Response,
    responses=_text(VTT_TYPE),
)
async def get_storyboard(
    request: Request, media_id: UUID, token: Token, parts: ApiParts
) -> Response:
    """Tiles of sprite sheets by time, as WebVTT, with a signed address for each sheet."""
    now = parts.now()
    ticket = read_ticket(parts, token, media_id=str(media_id), use=TicketUse.START, now=now)
    opened = await open_media(
        parts.reads, caller=_caller(ticket, request, parts), media_id=str(media_id), now=now
    )
    _require(opened, ticket)
    return Response(_storyboard(parts, opened), media_type=VTT_TYPE, headers=_PRIVATE)


def _caller(ticket: Ticket, request: Request, parts: Parts) -> Caller:
    """Whom the ticket was issued to, from where they ask now."""
    return Caller(ticket.viewer_id, ticket.session_id, country=country_of(request, parts.settings))


def _require(opened: OpenedMedia, ticket: Ticket) -> None:
    opened.require_allowed()
    require_generation(opened, ticket)


def _playlist(text: str) -> Response:
    return Response(text, media_type=PLAYLIST_TYPE, headers=_PRIVATE)


def _master_playlist(opened: OpenedMedia, token: str) -> str:
    """Addresses are relative, so that they hold behind any proxy."""
    variants, audios = [], []
    for each in opened.renditions:
        uri = f"{each.name}.m3u8?token={token}"
        if each.kind is RenditionKind.VIDEO:
            variants.append(_variant(each, uri))
        elif each.kind is RenditionKind.AUDIO:
            audios.append(_audio(each, uri))
    if not variants and not audios:
        raise Conflict("This media is not streamed.", code="not_streamed")
    variants.sort(key=lambda variant: variant.average_bandwidth)
    return master_playlist(variants=variants, audios=audios)


def _variant(rendition: StoredRendition, uri: str) -> HlsVariant:
    meta = StreamMeta.from_meta(rendition.meta)
    return HlsVariant(
        uri=uri,
        bandwidth=meta.bandwidth,
        average_bandwidth=meta.average_bandwidth,
        codecs=meta.codecs,
        width=rendition.width or 0,
        height=rendition.height or 0,
        frame_rate=meta.frames_per_second,
    )


def _audio(rendition: StoredRendition, uri: str) -> HlsAudio:
    meta = StreamMeta.from_meta(rendition.meta)
    return HlsAudio(
        uri=uri,
        name=rendition.name,
        group_id=meta.codecs.partition(".")[0],
        channels=meta.channels or 2,
        codecs=meta.codecs,
        bandwidth=meta.bandwidth,
        default=meta.is_default,
        language=meta.language,
    )


def _media_playlist(
    parts: Parts, opened: OpenedMedia, rendition: StoredRendition, token: str
) -> str:
    meta = StreamMeta.from_meta(rendition.meta)
    ttl_seconds = watching_seconds(parts, opened.media)

    def address(key: str) -> str:
        return object_url(parts, bucket=rendition.bucket, key=key, ttl_seconds=ttl_seconds)

    def iv_of(index: int) -> bytes | None:
        if not rendition.encrypted:
            return None
        return segment_iv(opened.media.id, meta.generation, rendition.name, index)

    segments = [
        HlsSegment(
            duration_seconds=ticks / meta.timescale,
            uri=address(segment_key(rendition.object_key, index)),
            iv=iv_of(index),
        )
        for index, (ticks, _) in enumerate(rendition.segments or ())
    ]
    return media_playlist(
        segments=segments,
        init_uri=address(init_key(rendition.object_key)),
        key_uri=f"key?token={token}" if rendition.encrypted else None,
    )


def _storyboard(parts: Parts, opened: OpenedMedia) -> str:
    described = storyboard(opened)
    if described is None:
        raise NotFound("The media has no storyboard.", code="storyboard_missing")
    meta = StoryboardMeta.from_meta(described.meta)
    sheets = {
        each.name: each for each in opened.renditions if each.kind is RenditionKind.STORYBOARD
    }
    ttl_seconds = watching_seconds(parts, opened.media)
    addresses = [
        object_url(
            parts,
            bucket=sheets[name].bucket,
            key=sheets[name].object_key,
            ttl_seconds=ttl_seconds,
        )
        for name in meta.sheets
    ]
    return storyboard_vtt(storyboard_cues(meta.plan, addresses))
