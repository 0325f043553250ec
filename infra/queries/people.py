"""People in lists: what stands of somebody next to a post, a follow or a block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.paging import Keyset
from infra.queries.portraits import AVATAR, Portrait, portrait_from


@dataclass(frozen=True, slots=True)
class Person:
    """What everybody who may know of somebody may see of them."""

    id: str
    handle: str
    display_name: str
    avatar: Portrait | None


@dataclass(frozen=True, slots=True)
class ListedPerson:
    person: Person
    since: datetime


PERSON = f"u.id::text, u.handle, u.display_name, {AVATAR}"
"""Columns of the user `u`; `person_from` reads them."""
PERSON_WIDTH = 4
SHOWN = "u.deleted_at IS NULL AND u.suspended_at IS NULL"
"""Who is closed or suspended is nowhere to be seen."""
LIVE_CREATOR = f"u.role = 'creator' AND {SHOWN}"


def shows(setting: str) -> str:
    """Whether the user `u` left a setting on that is on by default."""
    return f"""NOT u.settings @> '{{"{setting}": false}}'"""


def person_from(columns: Sequence[Any]) -> Person:
    user_id, handle, display_name, avatar = columns
    return Person(user_id, handle, display_name, portrait_from(avatar))


def since_params(after: Keyset | None, limit: int) -> dict[str, Any]:
    """For lists that begin with the newest; one row more tells whether another page follows."""
    return {
        "before_at": after.created_at if after else None,
        "before_id": after.id if after else None,
        "limit": limit + 1,
    }


def newest_first(at: str, row_id: str) -> str:
    """The condition that skips earlier pages, where `at` and `row_id` are the sort key."""
    return f"""({at}, {row_id}) < (
    COALESCE(%(before_at)s::timestamptz, 'infinity'),
    COALESCE(%(before_id)s::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
)"""
