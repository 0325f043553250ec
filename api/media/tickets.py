"""Issuing and reading playback tickets."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from api.parts import Parts
from domain.errors import AccessDenied, Conflict, Gone
from domain.media.links import Ticket, TicketUse, open_ticket, seal_ticket
from domain.media.states import MediaState
from infra.queries.access import MediaRecord, OpenedMedia

SIGNED_URL_SECONDS_MAX = 7 * 24 * 3600
"""S3's limit for a presigned URL."""


def watching_seconds(parts: Parts, media: MediaRecord) -> int:
    """How long addresses inside a playlist have to hold: a player reads it once, then pauses.

    Twice the running time, and never less than `segment_url_ttl_seconds`. Segments are
    encrypted, so such an address opens nothing without the key.
    """
    twice = 2 * (media.duration_ms or 0) // 1000
    return min(max(parts.settings.segment_url_ttl_seconds, twice), SIGNED_URL_SECONDS_MAX)


def start_ticket(
    parts: Parts, opened: OpenedMedia, *, session_id: str | None, now: datetime
) -> str:
    """Opens the master playlist for `playback_url_ttl_seconds`, or until the session ends."""
    expires_at = int(now.timestamp()) + parts.settings.playback_url_ttl_seconds
    return seal_ticket(
        Ticket(
            media_id=opened.media.id,
            generation=published_generation(opened.media),
            viewer_id=opened.viewer.user_id,
            use=TicketUse.START,
            expires_at=expires_at,
            session_id=session_id,
        ),
        key=parts.settings.url_signing_key_bytes,
    )


def session_ticket(parts: Parts, ticket: Ticket, media: MediaRecord, *, now: datetime) -> str:
    """Opens what a playlist names: other playlists, the key, the storyboard."""
    expires_at = int(now.timestamp()) + watching_seconds(parts, media)
    session = replace(ticket, use=TicketUse.SESSION, expires_at=expires_at)
    return seal_ticket(session, key=parts.settings.url_signing_key_bytes)


def read_ticket(
    parts: Parts, token: str, *, media_id: str, use: TicketUse, now: datetime
) -> Ticket:
    """A valid ticket for this media and use.

    Raises:
        AccessDenied: `playback_token_invalid` or `playback_token_expired`.
    """
    ticket = open_ticket(
        token,
        key=parts.settings.url_signing_key_bytes,
        media_id=media_id,
        now=int(now.timestamp()),
    )
    if ticket.use is not use:
        raise AccessDenied(
            "This playback address is for something else. Ask for a new one.",
            code="playback_token_invalid",
        )
    return ticket


def require_generation(opened: OpenedMedia, ticket: Ticket) -> None:
    """Refuse a ticket for renditions that another generation has replaced."""
    if opened.media.published_generation != ticket.generation:
        raise Gone(
            "The media was processed again meanwhile. Ask for playback again.",
            code="playback_superseded",
        )


def published_generation(media: MediaRecord) -> int:
    """The generation that is served.

    Raises:
        Conflict: `media_rejected` or `not_ready`: nothing is there to be played.
    """
    if media.published_generation is not None:
        return media.published_generation
    if media.media_state is MediaState.REJECTED:
        raise Conflict(
            media.rejection_detail or "The media was rejected.",
            code="media_rejected",
            rejection_code=media.rejection_code,
        )
    raise Conflict(
        "The media can't be played yet.",
        code="not_ready",
        state=media.state,
        percent=media.progress_percent,
    )
