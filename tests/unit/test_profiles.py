"""Names: which may be had, and in which form they are kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.accounts import ApplicationState, Role, check_handle
from domain.applications import LastApplication, check_may_apply
from domain.countries import COUNTRIES
from domain.errors import AccessDenied, Conflict, FansworldError, Invalid
from domain.profiles import (
    DISPLAY_NAME_CHARACTERS_MAX,
    HANDLE_CHANGE_WAIT,
    check_handle_change,
    clean_display_name,
)
from domain.searching import Place, clean_query, cursor_for_place, literally, place_from

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@given(st.text(max_size=80))
def test_a_name_that_is_taken_is_taken_again_as_it_is(text: str) -> None:
    try:
        name = clean_display_name(text)
    except ValueError:
        return
    assert clean_display_name(name) == name
    assert 1 <= len(name) <= DISPLAY_NAME_CHARACTERS_MAX
    assert "\n" not in name


@pytest.mark.parametrize("handle", ["mia", "m1a", "a.b-c_d", "0x0", "m" * 30, "meh", "admins"])
def test_handles_that_may_be_had(handle: str) -> None:
    check_handle(handle)


@pytest.mark.parametrize(
    ("handle", "code"),
    [
        ("", "handle_invalid"),
        ("ab", "handle_invalid"),
        ("m" * 31, "handle_invalid"),
        ("MIA", "handle_invalid"),
        ("mia ", "handle_invalid"),
        ("mia\u0000", "handle_invalid"),
        ("mi\u0430", "handle_invalid"),
        ("\u217fia", "handle_invalid"),
        ("\uff4d\uff49\uff41", "handle_invalid"),
        ("mi\u200da", "handle_invalid"),
        ("\u0663\u0663\u0663", "handle_invalid"),
        ("-mia", "handle_invalid"),
        ("mia-", "handle_invalid"),
        ("mi--a", "handle_invalid"),
        ("mi.-a", "handle_invalid"),
        ("mia/tom", "handle_invalid"),
        ("mia@tom", "handle_invalid"),
        ("support", "handle_reserved"),
        ("su.ppo.rt", "handle_reserved"),
        ("fans-world", "handle_reserved"),
    ],
)
def test_handles_that_may_not_be_had(handle: str, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_handle(handle)
    assert caught.value.code == code


def test_a_handle_may_change_again_at_the_moment_that_was_told() -> None:
    check_handle_change(changed_at=None, now=NOW)
    check_handle_change(changed_at=NOW - HANDLE_CHANGE_WAIT, now=NOW)
    with pytest.raises(Conflict) as caught:
        check_handle_change(
            changed_at=NOW - HANDLE_CHANGE_WAIT + timedelta(microseconds=1), now=NOW
        )
    assert caught.value.facts["again_at"] == "2026-06-01T00:00:00.000001+00:00"


SUBMITTED = LastApplication(ApplicationState.SUBMITTED, None)
APPROVED = LastApplication(ApplicationState.APPROVED, NOW)


def rejected(days: float) -> LastApplication:
    return LastApplication(ApplicationState.REJECTED, NOW - timedelta(days=days))


@pytest.mark.parametrize(
    ("role", "verified", "last", "refusal"),
    [
        (Role.FAN, True, None, None),
        (Role.FAN, True, rejected(14), None),
        (Role.FAN, True, APPROVED, None),
        (Role.FAN, True, rejected(13.9), (Conflict, "application_too_soon")),
        (Role.FAN, True, SUBMITTED, (Conflict, "application_open")),
        (Role.FAN, False, None, (AccessDenied, "email_not_verified")),
        (Role.CREATOR, True, None, (Conflict, "already_creator")),
        (Role.MODERATOR, True, None, (AccessDenied, "staff_may_not_apply")),
        (Role.ADMIN, True, None, (AccessDenied, "staff_may_not_apply")),
    ],
)
def test_who_may_apply(
    role: Role,
    verified: bool,
    last: LastApplication | None,
    refusal: tuple[type[FansworldError], str] | None,
) -> None:
    if refusal is None:
        check_may_apply(role=role, email_verified=verified, last=last, now=NOW)
        return
    with pytest.raises(refusal[0]) as caught:
        check_may_apply(role=role, email_verified=verified, last=last, now=NOW)
    assert caught.value.code == refusal[1]


def test_countries_are_those_of_the_standard() -> None:
    assert len(COUNTRIES) == 249
    assert {"DE", "GB", "JP", "US"} <= COUNTRIES
    assert not {"UK", "EU", "XK", "ZZ", "AN"} & COUNTRIES


@given(st.integers(0, 3), st.integers(0, 10_000), st.uuids())
def test_a_place_in_search_is_read_back(closeness: int, distance: int, row_id: object) -> None:
    place = Place(closeness, distance, str(row_id))
    cursor = cursor_for_place(place)
    assert place_from(cursor) == place
    assert len(cursor) <= 64


@given(st.text(max_size=40))
def test_a_query_is_clean_or_refused(text: str) -> None:
    try:
        query = clean_query(text)
    except Invalid as error:
        assert error.code == "query_too_short"
        return
    assert query == query.strip().lower()
    escaped = literally(query)
    assert escaped.replace("\\\\", "").count("%") == escaped.replace("\\\\", "").count("\\%")
