"""From a fan to a creator: applying, and the staff who decide."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, update

from domain.accounts import Role
from infra.db import transaction
from infra.ids import new_id
from infra.models import AuditEntry, Creator, CreatorApplication, Mail, User
from tests.e2e.api.people import CREATORS, ME, Json, close, refused, suspend
from tests.harness.api import RunningApi
from tests.harness.rows import MakeUser

NOW = datetime.now(UTC)
OWN = f"{ME}/creator-application"
QUEUE = "/api/v1/admin/creator-applications"
WISH = {"statement": "I photograph harbours at dawn."}


@pytest.fixture
def fan(make_user: MakeUser) -> User:
    return make_user(email="tom@example.com", email_verified_at=NOW)


@pytest.fixture
def moderator(make_user: MakeUser) -> User:
    return make_user(role=Role.MODERATOR, handle="mod")


def apply(api: RunningApi, user: User) -> str:
    answer = api.client(user).post(OWN, json=WISH)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def approve(client: Any, application_id: str) -> Any:
    return client.post(f"{QUEUE}/{application_id}/approve")


def reject(client: Any, application_id: str, reason: str = "Tell us more.") -> Any:
    return client.post(f"{QUEUE}/{application_id}/reject", json={"reason": reason})


def entries(engine: Engine) -> list[tuple[str, str, Json]]:
    with transaction(engine) as session:
        found = session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
        assert all(entry.request_id for entry in found)
        return [(entry.action, entry.actor_name, entry.detail) for entry in found]


def test_an_approval_makes_a_creator_at_once(
    api: RunningApi, fan: User, moderator: User, engine: Engine
) -> None:
    client = api.client(fan)
    refused(client.get(OWN), 404, "application_not_found")
    application_id = apply(api, fan)
    assert client.get(OWN).json()["state"] == "submitted"
    refused(client.get(f"{CREATORS}/me/followers"), 403, "creators_only")
    answer = approve(api.client(moderator), application_id)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["state"], body["decided_by"]) == ("approved", "mod")
    assert body["applicant"]["handle"] == fan.handle
    assert "tom@example.com" not in answer.text
    me = client.get(ME)
    assert (me.json()["role"], me.headers["etag"]) == ("creator", '"v2"')
    assert client.get(f"{CREATORS}/{fan.handle}").status_code == 200
    assert client.get(f"{CREATORS}/me/followers").status_code == 200
    refused(client.post(OWN, json=WISH), 409, "already_creator")
    assert entries(engine) == [
        ("creator_application.submitted", fan.handle, {"user_id": fan.id}),
        ("creator_application.approved", "mod", {"user_id": fan.id}),
    ]


def test_after_a_rejection_one_applies_again_when_two_weeks_have_passed(
    api: RunningApi, fan: User, moderator: User, engine: Engine
) -> None:
    application_id = apply(api, fan)
    refused(api.client(fan).post(OWN, json=WISH), 409, "application_open")
    assert reject(api.client(moderator), application_id).status_code == 200
    own = api.client(fan).get(OWN).json()
    assert (own["state"], own["reason"]) == ("rejected", "Tell us more.")
    again_at = datetime.fromisoformat(own["may_apply_again_at"])
    assert again_at == datetime.fromisoformat(own["decided_at"]) + timedelta(days=14)
    facts = refused(api.client(fan).post(OWN, json=WISH), 409, "application_too_soon")
    assert datetime.fromisoformat(facts["again_at"]) == again_at
    with transaction(engine) as session:
        session.execute(
            update(CreatorApplication).values(decided_at=NOW - timedelta(days=14, minutes=1))
        )
    assert apply(api, fan) != application_id
    assert api.client(fan).get(OWN).json()["state"] == "submitted"


def test_who_may_not_apply_hears_why(api: RunningApi, make_user: MakeUser, moderator: User) -> None:
    unverified = make_user(email="a@example.com")
    refused(api.client(unverified).post(OWN, json=WISH), 403, "email_not_verified")
    refused(api.client(moderator).post(OWN, json=WISH), 403, "staff_may_not_apply")


@pytest.mark.parametrize("statement", ["", "Too short.", " " * 40, "x" * 2001, "x" * 30 + "\x00"])
def test_a_statement_says_something(api: RunningApi, fan: User, statement: str) -> None:
    refused(api.client(fan).post(OWN, json={"statement": statement}), 422, "invalid_request")


def test_of_many_applications_at_once_one_is_taken(
    api: RunningApi, fan: User, engine: Engine
) -> None:
    clients = [api.client(fan) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        answers = pool.map(lambda client: client.post(OWN, json=WISH).status_code, clients)
        assert sorted(answers) == [201, 409, 409, 409, 409, 409]
    with transaction(engine) as session:
        assert session.scalar(select(func.count()).select_from(CreatorApplication)) == 1


def test_of_two_moderators_at_once_one_decides(
    api: RunningApi, make_user: MakeUser, fan: User, engine: Engine
) -> None:
    application_id = apply(api, fan)
    staff = [api.client(make_user(role=Role.MODERATOR)) for _ in range(6)]
    verdicts = (approve, reject) * 3
    with ThreadPoolExecutor(6) as pool:
        answers = list(
            pool.map(
                lambda call: call[0](call[1], application_id), zip(verdicts, staff, strict=True)
            )
        )
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409, 409]
    [won] = [answer.json() for answer in answers if answer.status_code == 200]
    for answer in answers:
        if answer.status_code == 409:
            assert refused(answer, 409, "application_decided") == {"state": won["state"]}
    with transaction(engine) as session:
        is_creator = session.get(Creator, fan.id) is not None
    assert is_creator == (won["state"] == "approved")
    assert len(entries(engine)) == 2


def test_a_repeated_decision_changes_nothing(
    api: RunningApi, fan: User, moderator: User, engine: Engine
) -> None:
    application_id = apply(api, fan)
    client = api.client(moderator)
    first = reject(client, application_id)
    second = reject(client, application_id, reason="Another reason.")
    assert second.json() == first.json()
    refused(approve(client, application_id), 409, "application_decided")
    assert len(entries(engine)) == 2


def test_the_applicant_is_told_once_by_mail(
    api: RunningApi, fan: User, moderator: User, engine: Engine
) -> None:
    application_id = apply(api, fan)
    client = api.client(moderator)
    for _ in range(2):
        assert reject(client, application_id).status_code == 200
    with transaction(engine) as session:
        [mail] = session.scalars(select(Mail))
    again_at = api.client(fan).get(OWN).json()["may_apply_again_at"]
    assert (mail.kind, mail.address, mail.user_id) == (
        "application_decided",
        "tom@example.com",
        fan.id,
    )
    assert (mail.facts["state"], mail.facts["reason"]) == ("rejected", "Tell us more.")
    assert datetime.fromisoformat(mail.facts["again_at"]) == datetime.fromisoformat(again_at)


def test_nobody_decides_on_their_own_application(
    api: RunningApi, fan: User, engine: Engine
) -> None:
    application_id = apply(api, fan)
    with transaction(engine) as session:
        session.get_one(User, fan.id).role = Role.MODERATOR.value
    client = api.client(fan)
    refused(approve(client, application_id), 403, "own_application")
    refused(reject(client, application_id), 403, "own_application")


def test_what_can_not_be_decided_says_why(
    api: RunningApi, fan: User, moderator: User, engine: Engine
) -> None:
    client = api.client(moderator)
    refused(approve(client, new_id()), 404, "application_not_found")
    application_id = apply(api, fan)
    refused(reject(client, application_id, reason="  "), 422, "invalid_request")
    suspend(engine, fan)
    refused(approve(client, application_id), 409, "applicant_gone")
    close(engine, fan)
    refused(reject(client, application_id), 409, "applicant_gone")


def test_staff_see_who_has_waited_longest_first(
    api: RunningApi, make_user: MakeUser, moderator: User, engine: Engine
) -> None:
    applicants = [make_user(email_verified_at=NOW) for _ in range(4)]
    ids = [apply(api, user) for user in applicants]
    client = api.client(moderator)
    assert reject(client, ids[1]).status_code == 200
    close(engine, applicants[2])
    first = client.get(QUEUE, params={"limit": 1}).json()
    assert [item["id"] for item in first["data"]] == [ids[0]]
    rest = client.get(QUEUE, params={"limit": 1, "cursor": first["next_cursor"]}).json()
    assert [item["id"] for item in rest["data"]] == [ids[3]]
    assert rest["has_more"] is False
    decided = client.get(QUEUE, params={"state": "rejected"}).json()["data"]
    assert [(item["id"], item["decided_by"]) for item in decided] == [(ids[1], "mod")]
