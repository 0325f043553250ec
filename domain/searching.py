"""Search by name: what a query may be, and where a page of its results ended."""

from __future__ import annotations

import base64
import binascii
import struct
import unicodedata
import uuid
from dataclasses import dataclass

from domain.errors import Invalid

QUERY_CHARACTERS_MIN = 2
QUERY_CHARACTERS_MAX = 64
_PACKED = struct.Struct(">BH16s")


@dataclass(frozen=True, slots=True)
class Place:
    """The sort key of one result. It follows from names alone, so paging is not disturbed by
    what people do meanwhile."""

    closeness: int
    """0: the handle itself; 1: begins the handle; 2: begins a word of the name; 3: resembles."""
    distance: int
    """Below 3: how long the name is, so that what the query nearly completes comes first. At 3:
    how unlike the query the best part of the name is, 0 to 10000."""
    id: str


def clean_query(text: str) -> str:
    """As names are stored for searching: NFC, lower case, single spaces; a leading `@` goes.

    Raises:
        Invalid: `query_too_short`.
    """
    query = " ".join(unicodedata.normalize("NFC", text).lower().split()).removeprefix("@")
    # Signs alone would match everything there is.
    if sum(character.isalnum() for character in query) < QUERY_CHARACTERS_MIN:
        raise Invalid(
            f"A search needs at least {QUERY_CHARACTERS_MIN} letters or digits.",
            code="query_too_short",
            characters_min=QUERY_CHARACTERS_MIN,
        )
    return query


def literally(query: str) -> str:
    """The query as part of a LIKE pattern in which it stands for nothing but itself."""
    return query.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def cursor_for_place(place: Place) -> str:
    packed = _PACKED.pack(place.closeness, place.distance, uuid.UUID(place.id).bytes)
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def place_from(cursor: str) -> Place:
    """Read back what `cursor_for_place` made.

    Raises:
        Invalid: `cursor_invalid`.
    """
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        closeness, distance, raw = _PACKED.unpack(packed)
        return Place(closeness, distance, str(uuid.UUID(bytes=raw)))
    except (binascii.Error, struct.error, ValueError):
        raise Invalid(
            "The cursor is not one that this list gave out. Start again without it.",
            code="cursor_invalid",
        ) from None
