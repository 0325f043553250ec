"""Opaque cursors of keyset pages."""

from __future__ import annotations

import base64
import binascii
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from domain.errors import Invalid

_NUMBER_MAX = 2**63 - 1
"""What Postgres takes for a bigint."""
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
    packed = _unpacked(cursor, 24)
    try:
        moment = _EPOCH + timedelta(microseconds=int.from_bytes(packed[:8], "big"))
    except OverflowError:
        raise _cursor_invalid() from None
    return Keyset(moment, str(uuid.UUID(bytes=packed[8:])))


def cursor_for_number(number: int) -> str:
    """As `cursor_for`, for lists in the order of a number."""
    return base64.urlsafe_b64encode(number.to_bytes(8, "big")).decode().rstrip("=")


def number_from(cursor: str) -> int:
    """Read back what `cursor_for_number` made.

    Raises:
        Invalid: `cursor_invalid`.
    """
    number = int.from_bytes(_unpacked(cursor, 8), "big")
    if number > _NUMBER_MAX:
        raise _cursor_invalid()
    return number


def _unpacked(cursor: str, size: int) -> bytes:
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise _cursor_invalid() from None
    if len(packed) != size:
        raise _cursor_invalid()
    return packed


def _cursor_invalid() -> Invalid:
    return Invalid(
        "The cursor is not one that this list gave out. Start again without it.",
        code="cursor_invalid",
    )
