"""Opaque cursors of keyset pages."""

from __future__ import annotations

import base64
import binascii
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from domain.errors import Invalid

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Keyset:
    """Where a page ended: the sort key of its last row."""

    created_at: datetime
    id: str


def cursor_for(keyset: Keyset) -> str:
    micros = (keyset.created_at - _EPOCH) // timedelta(microseconds=1)
    packed = micros.to_bytes(8, "big") + uuid.UUID(keyset.id).bytes
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def keyset_from(cursor: str) -> Keyset:
    """Read back what `cursor_for` made.

    Raises:
        Invalid: `cursor_invalid`.
    """
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        if len(packed) != 24:
            raise ValueError(len(packed))
        moment = _EPOCH + timedelta(microseconds=int.from_bytes(packed[:8], "big"))
        return Keyset(moment, str(uuid.UUID(bytes=packed[8:])))
    except (binascii.Error, ValueError, OverflowError):
        raise Invalid(
            "The cursor is not one that this list gave out. Start again without it.",
            code="cursor_invalid",
        ) from None
