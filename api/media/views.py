"""From what the access module opened to what this viewer is shown."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from api.media import schemas
from api.media.addresses import rendition_url, urls_expire_at
from api.parts import Parts
from api.problems import OfferBody
from domain.access import Decision, Offer
from domain.media.rejections import RejectionCode
from domain.media.states import MediaKind, MediaState, Purpose, Visibility
from infra.queries.access import MediaRecord, OpenedMedia, StoredRendition

Json = dict[str, Any]


def media_json(parts: Parts, opened: OpenedMedia, *, now: datetime) -> Json:
    """`schemas.MediaBody` of what was opened."""
    media, allowed = opened.media, opened.decision.allowed
    renditions = [rendition_json(parts, each) for each in opened.renditions]
    return {
        "id": media.id,
        "owner_id": media.owner_id,
        "kind": media.kind,
        "state": media.state,
        "visibility": media.visibility,
        "access": access_json(opened.decision),
        "width": media.width,
        "height": media.height,
        "duration_seconds": seconds_of(media.duration_ms),
        "thumbhash": media.thumbhash,
        "title": media.title if allowed else None,
        "alt_text": media.alt_text if allowed else None,
        "renditions": renditions,
        "urls_expire_at": urls_expire_at(parts, now) if renditions else None,
        "created_at": media.created_at,
        "manage": _manage_body(media).model_dump() if opened.is_managed else None,
    }


def access_json(decision: Decision) -> Json:
    """`schemas.AccessBody` of a decision."""
    return {
        "allowed": decision.allowed,
        "reason": decision.reason,
        "expires_at": decision.expires_at,
        "offers": [offer_json(offer) for offer in decision.offers],
    }


def offer_json(offer: Offer) -> Json:
    """`OfferBody` of an offer."""
    return {name: getattr(offer, name) for name in OfferBody.model_fields}


def rendition_json(parts: Parts, rendition: StoredRendition) -> Json:
    """`schemas.RenditionBody` of a rendition."""
    return {
        "kind": rendition.kind,
        "name": rendition.name,
        "content_type": rendition.content_type,
        "bytes": rendition.bytes,
        "width": rendition.width,
        "height": rendition.height,
        "duration_seconds": seconds_of(rendition.duration_ms),
        "url": rendition_url(parts, rendition),
    }


def progress_body(media: MediaRecord) -> schemas.ProgressBody:
    return schemas.ProgressBody(
        step=media.step,
        percent=media.progress_percent,
        note=media.progress_note,
        needs_attention=media.needs_attention,
    )


def rejection_body(media: MediaRecord) -> schemas.RejectionBody | None:
    if media.rejection_code is None:
        return None
    sentence = RejectionCode(media.rejection_code).sentence
    return schemas.RejectionBody(
        code=media.rejection_code, detail=media.rejection_detail or sentence
    )


def media_item(
    parts: Parts, media: MediaRecord, thumbnail: StoredRendition | None
) -> schemas.MediaItem:
    """One row of the owner's own list."""
    return schemas.MediaItem(
        id=media.id,
        kind=MediaKind(media.kind),
        state=MediaState(media.state),
        visibility=Visibility(media.visibility),
        purpose=Purpose(media.purpose),
        title=media.title,
        file_name=media.file_name,
        original_bytes=media.original_bytes,
        width=media.width,
        height=media.height,
        duration_seconds=seconds_of(media.duration_ms),
        thumbhash=media.thumbhash,
        thumbnail_url=rendition_url(parts, thumbnail) if thumbnail else None,
        progress=progress_body(media),
        rejection=rejection_body(media),
        created_at=media.created_at,
    )


def seconds_of(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _manage_body(media: MediaRecord) -> schemas.ManageBody:
    return schemas.ManageBody(
        purpose=Purpose(media.purpose),
        file_name=media.file_name,
        version=media.version,
        original_bytes=media.original_bytes,
        original_sha256=media.original_sha256,
        content_type=media.content_type,
        generation=media.generation,
        published_generation=media.published_generation,
        progress=progress_body(media),
        rejection=rejection_body(media),
        moderation_outcome=media.moderation_outcome,
        moderation_labels=media.moderation_labels,
        updated_at=media.updated_at,
        playable_at=media.playable_at,
        ready_at=media.ready_at,
    )
