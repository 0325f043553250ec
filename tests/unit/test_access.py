"""The access decision, as a table and as properties."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.access import (
    Grant,
    GrantSource,
    Reason,
    Rule,
    Subject,
    Viewer,
    decide,
    media_subject,
)
from domain.accounts import Role
from domain.media.states import MediaState, Visibility
from domain.posts import Audience

NOW = datetime(2026, 6, 1, tzinfo=UTC)
OWNER, FAN = "owner", "fan"

moments = st.integers(-100, 100).map(lambda hours: NOW + timedelta(hours=hours))
grants = st.builds(
    Grant,
    source=st.sampled_from(GrantSource),
    starts_at=moments,
    expires_at=st.none() | moments,
    revoked_at=st.none() | moments,
)
viewers = st.builds(
    Viewer, user_id=st.sampled_from([None, OWNER, FAN]), role=st.sampled_from(Role)
).filter(lambda viewer: viewer.user_id is not None or viewer.role is Role.FAN)
subjects = st.builds(
    media_subject,
    media_id=st.just("m"),
    owner_id=st.just(OWNER),
    state=st.sampled_from(MediaState),
    visibility=st.sampled_from(Visibility),
)


def subject(
    visibility: Visibility = Visibility.GATED, state: MediaState = MediaState.READY
) -> Subject:
    return media_subject(media_id="m", owner_id=OWNER, state=state, visibility=visibility)


ANON, STRANGER = Viewer(None), Viewer(FAN)
MODERATOR = Viewer("mod", Role.MODERATOR)


@pytest.mark.parametrize(
    ("viewer", "visibility", "state", "reason"),
    [
        (Viewer(OWNER, Role.CREATOR), Visibility.PRIVATE, MediaState.REJECTED, Reason.OWNER),
        (Viewer(OWNER, Role.CREATOR), Visibility.GATED, MediaState.DELETED, Reason.HIDDEN),
        (MODERATOR, Visibility.PRIVATE, MediaState.HELD, Reason.STAFF),
        (MODERATOR, Visibility.PUBLIC, MediaState.EXPIRED, Reason.HIDDEN),
        (STRANGER, Visibility.PRIVATE, MediaState.READY, Reason.HIDDEN),
        (STRANGER, Visibility.GATED, MediaState.READY, Reason.NOT_ENTITLED),
        (STRANGER, Visibility.GATED, MediaState.PLAYABLE, Reason.NOT_ENTITLED),
        (STRANGER, Visibility.GATED, MediaState.PROCESSING, Reason.HIDDEN),
        (STRANGER, Visibility.GATED, MediaState.HELD, Reason.HIDDEN),
        (STRANGER, Visibility.PUBLIC, MediaState.READY, Reason.PUBLIC),
        (STRANGER, Visibility.PUBLIC, MediaState.HELD, Reason.HIDDEN),
        (ANON, Visibility.PUBLIC, MediaState.READY, Reason.PUBLIC),
        (ANON, Visibility.GATED, MediaState.READY, Reason.HIDDEN),
        (ANON, Visibility.PRIVATE, MediaState.READY, Reason.HIDDEN),
    ],
)
def test_who_sees_what_without_grants(
    viewer: Viewer, visibility: Visibility, state: MediaState, reason: Reason
) -> None:
    assert decide(viewer, subject(visibility, state), [], NOW).reason is reason


@pytest.mark.parametrize(
    ("grant", "allowed"),
    [
        (Grant(GrantSource.GIFT, NOW), True),
        (Grant(GrantSource.GIFT, NOW + timedelta(seconds=1)), False),
        (Grant(GrantSource.UNLOCK, NOW, expires_at=NOW), False),
        (Grant(GrantSource.UNLOCK, NOW, expires_at=NOW + timedelta(seconds=1)), True),
        (Grant(GrantSource.SUBSCRIPTION, NOW, revoked_at=NOW), False),
        (Grant(GrantSource.SUBSCRIPTION, NOW, revoked_at=NOW + timedelta(seconds=1)), True),
    ],
)
def test_a_grant_opens_from_its_start_until_its_end(grant: Grant, allowed: bool) -> None:
    assert decide(STRANGER, subject(), [grant], NOW).allowed is allowed


def test_the_right_lasts_as_long_as_the_longest_live_grant() -> None:
    day, week = NOW + timedelta(days=1), NOW + timedelta(days=7)
    short = Grant(GrantSource.GIFT, NOW, expires_at=day)
    long = Grant(GrantSource.SUBSCRIPTION, NOW, expires_at=week)
    for_good = Grant(GrantSource.UNLOCK, NOW)
    assert decide(STRANGER, subject(), [short, long], NOW).expires_at == week
    assert decide(STRANGER, subject(), [short, for_good], NOW).expires_at is None


@given(viewers, subjects, st.lists(grants, max_size=4))
def test_only_the_owner_staff_public_or_a_live_grant_ever_open_anything(
    viewer: Viewer, item: Subject, held: list[Grant]
) -> None:
    decision = decide(viewer, item, held, NOW)
    if decision.allowed:
        assert (
            viewer.user_id == item.owner_id
            or viewer.role.is_staff
            or Rule(Audience.PUBLIC) in item.rules
            or any(grant.is_live(NOW) for grant in held)
        )
        assert decision.expires_at is None or decision.expires_at > NOW
    else:
        assert decision.reason in (Reason.HIDDEN, Reason.NOT_ENTITLED)
        assert bool(decision.offers) == (decision.reason is Reason.NOT_ENTITLED)


@given(viewers, subjects, st.lists(grants, max_size=4))
def test_no_grant_opens_what_is_private_unfinished_or_gone(
    viewer: Viewer, item: Subject, held: list[Grant]
) -> None:
    if viewer.user_id == item.owner_id or viewer.role.is_staff:
        return
    if not item.rules or not item.is_shown:
        assert decide(viewer, item, held, NOW).hidden


@given(viewers, subjects, st.lists(grants, max_size=4), grants)
def test_one_grant_more_never_closes_anything(
    viewer: Viewer, item: Subject, held: list[Grant], more: Grant
) -> None:
    before = decide(viewer, item, held, NOW)
    after = decide(viewer, item, [*held, more], NOW)
    assert after.allowed or not before.allowed


@given(subjects, st.lists(grants, max_size=4))
def test_nobody_sees_more_than_a_moderator(item: Subject, held: list[Grant]) -> None:
    fan = decide(STRANGER, item, held, NOW)
    assert decide(MODERATOR, item, [], NOW).allowed or not fan.allowed
