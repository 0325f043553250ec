"""Playback tickets: signed text that opens playlists and keys.

A ticket travels in the query of a URL, so that a bare `<video>` element or hls.js plays without
headers. It says who plays what until when, and it decides nothing: every playlist and key that
it fetches is decided again from the database.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import struct
import uuid
from dataclasses import dataclass
from enum import IntEnum

from domain.errors import AccessDenied
from domain.signing import derived_key

_BODY = struct.Struct(">BB16s16s16sIQ")
_MAC_BYTES = 16
_FORM = 2
"""First byte of every ticket; another layout gets another number."""
_NOTHING = bytes(16)


class TicketUse(IntEnum):
    START = 1
    """Opens the master playlist; short-lived, because people share addresses."""
    SESSION = 2
    """Stands inside that playlist; lives as long as a player may need it."""


@dataclass(frozen=True, slots=True)
class Ticket:
    media_id: str
    generation: int
    viewer_id: str | None
    """None for somebody not signed in."""
    use: TicketUse
    expires_at: int
    """Unix time in seconds."""
    session_id: str | None = None
    """What the viewer was signed in by: what it opens closes with that session."""


def seal_ticket(ticket: Ticket, *, key: bytes) -> str:
    """The ticket as URL-safe text."""
    body = _BODY.pack(
        _FORM,
        ticket.use,
        uuid.UUID(ticket.media_id).bytes,
        _id_bytes(ticket.viewer_id),
        _id_bytes(ticket.session_id),
        ticket.generation,
        ticket.expires_at,
    )
    return _encoded(body + _mac(key, body))


def open_ticket(text: str, *, key: bytes, media_id: str, now: int) -> Ticket:
    """Read a ticket that `seal_ticket` made for this media; `now` in Unix seconds.

    Raises:
        AccessDenied: `playback_token_invalid` or `playback_token_expired`.
    """
    raw = _decoded(text)
    body, mac = raw[: _BODY.size], raw[_BODY.size :]
    if len(raw) != _BODY.size + _MAC_BYTES or not hmac.compare_digest(mac, _mac(key, body)):
        raise _invalid()
    form, use, media, viewer, session, generation, expires_at = _BODY.unpack(body)
    if form != _FORM or str(uuid.UUID(bytes=media)) != media_id:
        raise _invalid()
    if expires_at <= now:
        raise AccessDenied(
            "This playback address has expired. Ask for a new one.",
            code="playback_token_expired",
        )
    return Ticket(
        media_id=media_id,
        generation=generation,
        viewer_id=_id_from(viewer),
        use=TicketUse(use),
        expires_at=expires_at,
        session_id=_id_from(session),
    )


def _id_bytes(row_id: str | None) -> bytes:
    return _NOTHING if row_id is None else uuid.UUID(row_id).bytes


def _id_from(raw: bytes) -> str | None:
    return None if raw == _NOTHING else str(uuid.UUID(bytes=raw))


def _mac(key: bytes, body: bytes) -> bytes:
    return hmac.digest(derived_key(key, use="playback"), body, "sha256")[:_MAC_BYTES]


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise _invalid() from None
    if _encoded(raw) != text:
        raise _invalid()  # spare bits of the last digit: one ticket has one spelling
    return raw


def _invalid() -> AccessDenied:
    return AccessDenied(
        "This playback address was changed or is not for this media. Ask for a new one.",
        code="playback_token_invalid",
    )
