"""Staff find accounts, shut and open them, and change roles."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import httpx2 as httpx
import pytest
from sqlalchemy import func, select, update

from domain.accounts import Role
from infra.db import transaction
from infra.ids import new_id
from infra.models import AuthSession, Creator, Mail, User
from tests.e2e.api.admin.conftest import ADMIN, ME, Office, code_of
from tests.e2e.api.walk.people import Person
from tests.harness.rows import MakeUser

USERS = f"{ADMIN}/users"
WHY = {"reason": "Case 7: spam"}


def act(client: httpx.Client, person: Person, name: str) -> httpx.Response:
    return client.post(f"{USERS}/{person.user.id}/{name}", json=WHY)


def give(client: httpx.Client, person: Person, role: Role) -> httpx.Response:
    return client.put(f"{USERS}/{person.user.id}/role", json={"role": role.value, **WHY})


def found(client: httpx.Client, **query: Any) -> list[str]:
    answer = client.get(USERS, params=query)
    assert answer.status_code == 200, answer.text
    return [user["handle"] for user in answer.json()["data"]]


# --- who may ---------------------------------------------------------------------------------


def test_staff_without_a_second_factor_is_not_at_work(office: Office) -> None:
    with transaction(office.engine) as session:
        session.execute(update(AuthSession).values(second_factor_at=None))
    for path in (USERS, f"{ADMIN}/audit"):
        assert code_of(office.admin.get(path)) == (403, "second_factor_required")


def test_a_role_is_changed_only_with_a_fresh_proof(office: Office) -> None:
    with transaction(office.engine) as session:
        session.execute(update(AuthSession).values(proved_at=datetime.now(UTC) - timedelta(days=1)))
    answer = give(office.admin, office.people.stranger, Role.MODERATOR)
    assert code_of(answer) == (403, "step_up_required")
    assert act(office.admin, office.people.stranger, "suspend").status_code == 200


@pytest.mark.parametrize("name", ["suspend", "reinstate"])
def test_nobody_acts_on_themselves(office: Office, name: str) -> None:
    answer = act(office.admin, office.people.admin, name)
    assert code_of(answer) == (403, "not_on_yourself")
    answer = give(office.admin, office.people.admin, Role.FAN)
    assert code_of(answer) == (403, "not_on_yourself")


def test_staff_answers_to_admins(office: Office) -> None:
    other = office.people.stranger
    assert give(office.admin, other, Role.MODERATOR).status_code == 200
    assert code_of(act(office.moderator, other, "suspend")) == (403, "admin_only")
    assert act(office.admin, other, "suspend").status_code == 200


# --- suspending ------------------------------------------------------------------------------


def test_suspending_ends_every_session_at_once_and_is_written_down(office: Office) -> None:
    creator = office.people.owner
    theirs = office.client(creator)
    assert theirs.get(ME).status_code == 200
    answer = act(office.moderator, creator, "suspend")
    assert (answer.json()["standing"], answer.json()["live_sessions"]) == ("suspended", 0)
    assert code_of(theirs.get(ME)) == (401, "session_ended")
    (entry,) = office.entries("user.suspended")
    assert (entry.actor_name, entry.subject_id) == (
        office.people.moderator.user.handle,
        creator.user.id,
    )
    assert entry.request_id == answer.headers["x-request-id"]
    assert entry.detail == {"reason": "Case 7: spam", "sessions": 1}


def test_who_is_reinstated_signs_in_anew(office: Office) -> None:
    creator = office.people.owner
    act(office.moderator, creator, "suspend")
    answer = act(office.moderator, creator, "reinstate")
    assert answer.json()["standing"] == "active"
    assert code_of(office.client(creator).get(ME)) == (401, "session_ended")
    assert len(office.entries("user.reinstated")) == 1


def test_saying_it_twice_does_it_once(office: Office) -> None:
    for name in ("suspend", "suspend", "reinstate", "reinstate"):
        assert act(office.moderator, office.people.owner, name).status_code == 200
    assert len(office.entries("user.suspended")) == len(office.entries("user.reinstated")) == 1


def test_whose_account_is_shut_or_opened_hears_it_once_and_why(office: Office) -> None:
    creator = office.people.owner.user
    for name in ("suspend", "suspend", "reinstate", "reinstate"):
        assert act(office.moderator, office.people.owner, name).status_code == 200
    with transaction(office.engine) as session:
        mails = session.scalars(select(Mail).order_by(Mail.created_at)).all()
    assert [(each.kind, each.user_id, each.address, each.facts) for each in mails] == [
        ("account_moderated", creator.id, creator.email, {"state": state, **WHY})
        for state in ("suspended", "reinstated")
    ]


@pytest.mark.parametrize("name", ["suspend", "reset-factors"])
def test_an_address_that_nobody_confirmed_hears_nothing(office: Office, name: str) -> None:
    with transaction(office.engine) as session:
        owner = session.get_one(User, office.people.owner.user.id)
        owner.email_verified_at = None
    assert act(office.admin, office.people.owner, name).status_code == 200
    with transaction(office.engine) as session:
        assert session.scalars(select(Mail)).all() == []


# --- roles -----------------------------------------------------------------------------------


def test_a_role_counts_from_the_next_request_on_and_sessions_go_on(office: Office) -> None:
    moderator, theirs = office.people.moderator, office.moderator
    assert theirs.get(USERS).status_code == 200
    assert give(office.admin, moderator, Role.FAN).json()["role"] == "fan"
    assert code_of(theirs.get(USERS)) == (403, "staff_only")
    assert theirs.get(ME).status_code == 200
    (entry,) = office.entries("user.role_changed")
    assert entry.detail == {"reason": "Case 7: spam", "before": "moderator", "after": "fan"}


def test_who_becomes_a_creator_can_publish(office: Office) -> None:
    fan = office.people.stranger
    for role in (Role.CREATOR, Role.FAN, Role.CREATOR, Role.CREATOR):
        assert give(office.admin, fan, role).status_code == 200
    with transaction(office.engine) as session:
        assert session.get(Creator, fan.user.id) is not None
    assert len(office.entries("user.role_changed")) == 3, "the same role again is no change"


def test_of_two_admins_who_take_each_others_role_one_stays(office: Office) -> None:
    first, second = office.people.admin, office.people.moderator
    give(office.admin, second, Role.ADMIN)
    together = Barrier(2)

    def take(actor: Person, target: Person) -> int:
        client = office.client(actor)
        together.wait(10)
        return give(client, target, Role.FAN).status_code

    with ThreadPoolExecutor(2) as pool:
        statuses = list(pool.map(take, (first, second), (second, first)))
    assert sorted(statuses) == [200, 403]
    with transaction(office.engine) as session:
        admins = select(func.count()).where(User.role == Role.ADMIN.value)
        assert session.scalar(admins) == 1


# --- finding ---------------------------------------------------------------------------------


@pytest.fixture
def crowd(office: Office, make_user: MakeUser) -> list[User]:
    """In the order of their ids, which is that of lists, and does not follow from the order of
    their making: that may fall into one millisecond."""
    del office
    return [
        make_user(id=user_id, handle=f"crowd_{number}", email=f"c{number}@x.example")
        for number, user_id in enumerate(sorted(new_id() for _ in range(5)))
    ]


@pytest.mark.usefixtures("crowd")
def test_accounts_are_found_by_what_is_known_of_them(office: Office, make_user: MakeUser) -> None:
    make_user(handle="crowdx1", role=Role.CREATOR)
    admin = office.admin
    assert found(admin, handle="crowd_") == [f"crowd_{number}" for number in reversed(range(5))]
    assert found(admin, email="C3@X.EXAMPLE") == ["crowd_3"]
    assert found(admin, handle="crowd", role="creator") == ["crowdx1"]
    assert found(admin, handle="crowd", standing="active") == ["crowdx1"]
    assert found(admin, role="admin") == [office.people.admin.user.handle]
    act(admin, office.people.owner, "suspend")
    assert found(admin, standing="suspended") == [office.people.owner.user.handle]
    assert found(admin, handle="nobody") == []


def test_pages_hold_everybody_once(office: Office, crowd: list[User]) -> None:
    seen: list[str] = []
    query: dict[str, Any] = {"handle": "crowd_", "limit": 2}
    while True:
        page = office.admin.get(USERS, params=query).json()
        seen += [user["handle"] for user in page["data"]]
        if not page["has_more"]:
            break
        query["cursor"] = page["next_cursor"]
    assert seen == [user.handle for user in reversed(crowd)]


def test_an_account_is_shown_with_how_its_owner_signs_in(office: Office) -> None:
    shown = office.moderator.get(f"{USERS}/{office.people.owner.user.id}").json()
    assert shown["email"] == office.people.owner.user.email
    assert (shown["has_password"], shown["has_totp"]) == (False, False)
    assert (shown["passkeys"], shown["live_sessions"]) == (0, 1)
    (entry,) = office.entries("user.viewed")
    assert entry.subject_id == office.people.owner.user.id


@pytest.mark.usefixtures("crowd")
def test_searches_are_written_down_without_addresses(office: Office) -> None:
    found(office.moderator, email="c1@x.example", role="fan")
    (entry,) = office.entries("user.searched")
    assert entry.detail == {"by": ["email", "role"]}
