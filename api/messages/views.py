"""From what the access module opened to what this viewer is shown."""

from __future__ import annotations

from datetime import datetime

from api.media.addresses import urls_expire_at
from api.media.views import Json, access_json
from api.parts import Parts
from api.posts.views import carried_json
from infra.queries.access.messages import OpenedMessage


def message_json(parts: Parts, opened: OpenedMessage, *, now: datetime) -> Json:
    """`schemas.MessageBody`."""
    media = [
        carried_json(parts, each, allowed=opened.decision.allowed, listed=False)
        for each in opened.media
    ]
    return {
        "id": opened.id,
        "conversation_id": opened.conversation_id,
        "seq": opened.seq,
        "sender_id": opened.sender_id,
        "price_minor": opened.price_minor,
        "currency": opened.currency,
        "access": access_json(opened.decision),
        "body": opened.body,
        "media": media,
        "media_count": opened.media_count,
        "urls_expire_at": urls_expire_at(parts, now) if media else None,
        "created_at": opened.created_at,
    }
