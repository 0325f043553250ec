"""Profiles: who may know of one, what may stand in it, and which change has to wait."""

from __future__ import annotations

import unicodedata
from datetime import datetime, timedelta

from domain.access import Rule, Subject
from domain.errors import Conflict
from domain.posts import Audience

DISPLAY_NAME_CHARACTERS_MAX = 50
BIO_CHARACTERS_MAX = 1000
HANDLE_CHANGE_WAIT = timedelta(days=30)
"""Watermarks, links and mentions carry a handle; they should stay true for a while."""
_REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")
"""Turn the direction of text around: `gnp.exe` would read `exe.png`."""
_OPEN_TO_ALL = (Rule(Audience.PUBLIC),)


def profile_subject(owner_id: str) -> Subject:
    """For `domain.access.decide`: open to all but those whom blocks and regions keep away."""
    return Subject(owner_id, _OPEN_TO_ALL)


def clean_display_name(text: str) -> str:
    """The name in the form in which it is stored: NFC, on one line, without space around it.

    Raises:
        ValueError: it is empty or too long, or has characters that make it look like another.
    """
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if any(_is_unseen(character) for character in name):
        raise ValueError("control characters and characters that turn text around are not allowed")
    if not any(unicodedata.category(character)[0] in "LNSP" for character in name):
        raise ValueError("a name needs at least one letter, digit or sign")
    if len(name) > DISPLAY_NAME_CHARACTERS_MAX:
        raise ValueError(f"a name has up to {DISPLAY_NAME_CHARACTERS_MAX} characters")
    return name


def _is_unseen(character: str) -> bool:
    return character in _REORDERING or unicodedata.category(character) in ("Cc", "Cs")


def check_handle_change(*, changed_at: datetime | None, now: datetime) -> None:
    """May a handle that was last changed at `changed_at` be changed again?

    Raises:
        Conflict: `handle_changed_recently`, with `again_at`.
    """
    again_at = may_change_handle_at(changed_at)
    if again_at is not None and again_at > now:
        raise Conflict(
            f"A handle can be changed once in {HANDLE_CHANGE_WAIT.days} days.",
            code="handle_changed_recently",
            again_at=again_at.isoformat(),
        )


def may_change_handle_at(changed_at: datetime | None) -> datetime | None:
    return None if changed_at is None else changed_at + HANDLE_CHANGE_WAIT
