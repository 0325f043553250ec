"""The access decision: one pure function, the only place that says who may see what.

Order of rules: what nobody may see → owner → staff → blocks → visibility → grants.
A subject that the viewer may not even know of is `HIDDEN` (the API answers 404).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.accounts import Role
from domain.media.states import MediaState, Visibility


class Reason(StrEnum):
    OWNER = "owner"
    STAFF = "staff"
    PUBLIC = "public"
    ENTITLED = "entitled"
    NOT_ENTITLED = "not_entitled"
    NOT_READY = "not_ready"
    HIDDEN = "hidden"


class GrantSource(StrEnum):
    SUBSCRIPTION = "subscription"
    UNLOCK = "unlock"
    GIFT = "gift"


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks. `user_id` None is somebody not signed in."""

    user_id: str | None
    role: Role = Role.FAN


@dataclass(frozen=True, slots=True)
class Subject:
    """What is asked for: one media item."""

    media_id: str
    owner_id: str
    state: MediaState
    visibility: Visibility


@dataclass(frozen=True, slots=True)
class Grant:
    """A live or past right of the viewer on the subject (or on its creator)."""

    source: GrantSource
    starts_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def is_live(self, now: datetime) -> bool:
        return (
            self.starts_at <= now
            and (self.revoked_at is None or self.revoked_at > now)
            and (self.expires_at is None or self.expires_at > now)
        )


@dataclass(frozen=True, slots=True)
class Offer:
    """What would open the subject."""

    kind: str
    creator_id: str
    media_id: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    allowed: bool
    reason: Reason
    expires_at: datetime | None = None
    """When the right ends, UTC; None where it has no end."""
    offers: tuple[Offer, ...] = ()

    @property
    def hidden(self) -> bool:
        return self.reason is Reason.HIDDEN


_HIDDEN = Decision(allowed=False, reason=Reason.HIDDEN)
_GONE = frozenset({MediaState.DELETED, MediaState.EXPIRED})


def decide(viewer: Viewer, subject: Subject, grants: Iterable[Grant], now: datetime) -> Decision:
    """May `viewer` see the full `subject` at `now` (UTC)?"""
    if subject.state in _GONE:
        return _HIDDEN
    if viewer.user_id is not None and viewer.user_id == subject.owner_id:
        return Decision(allowed=True, reason=Reason.OWNER)
    if viewer.role.is_staff:
        return Decision(allowed=True, reason=Reason.STAFF)
    if subject.visibility is Visibility.PRIVATE or not subject.state.is_servable:
        return _HIDDEN
    if subject.visibility is Visibility.PUBLIC:
        return Decision(allowed=True, reason=Reason.PUBLIC)
    if viewer.user_id is None:
        return _HIDDEN
    live = [grant for grant in grants if grant.is_live(now)]
    if live:
        return Decision(allowed=True, reason=Reason.ENTITLED, expires_at=_latest_expiry(live))
    return Decision(allowed=False, reason=Reason.NOT_ENTITLED, offers=_offers_for(subject))


def _latest_expiry(grants: list[Grant]) -> datetime | None:
    ends = [grant.expires_at for grant in grants]
    if any(end is None for end in ends):
        return None
    return max(end for end in ends if end is not None)


def _offers_for(subject: Subject) -> tuple[Offer, ...]:
    return (
        Offer(kind="subscribe", creator_id=subject.owner_id),
        Offer(kind="unlock", creator_id=subject.owner_id, media_id=subject.media_id),
    )
