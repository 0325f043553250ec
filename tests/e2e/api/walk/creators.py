"""Rows of creators: profiles, follows, applications, and what creators set."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx2 as httpx

from domain.accounts import Role
from infra.db import transaction
from infra.ids import new_id
from infra.models import CreatorApplication, User
from tests.e2e.api.walk.rows import ABSENT, SECRET_TEXT, SHOWN, Case, Outcome, Row, Stage, each

CREATORS = "/api/v1/creators"
QUEUE = "/api/v1/admin/creator-applications"
OWN_APPLICATION = "/api/v1/me/creator-application"
IF_MATCH = {"if-match": "*"}
STAFF = each(403, anonymous=401, moderator=200, admin=200)
CREATORS_ONLY = each(403, anonymous=401, other_creator=200, owner=200)


def owner(stage: Stage) -> User:
    return stage.owner


def follow(case: Case[User]) -> httpx.Response:
    return case.client.put(f"{CREATORS}/{case.subject.id}/follow")


def unfollow(case: Case[User]) -> httpx.Response:
    return case.client.delete(f"{CREATORS}/{case.subject.id}/follow")


def found(answer: httpx.Response, subject: User) -> Outcome:
    if answer.status_code != 200:
        return answer.status_code
    return SHOWN if subject.id in answer.text else ABSENT


def follower(stage: Stage) -> User:
    return stage.people.follower.user


def application(stage: Stage) -> str:
    """Of somebody who has nothing else to do with the walk."""
    applicant, application_id = new_id(), new_id()
    with transaction(stage.engine) as session:
        session.add(
            User(
                id=applicant,
                handle=f"applicant-{applicant[-8:]}",
                role=Role.FAN.value,
                display_name="Applicant",
                email_verified_at=datetime.now(UTC),
            )
        )
        session.flush()
        session.add(CreatorApplication(id=application_id, user_id=applicant, statement=SECRET_TEXT))
    return application_id


def in_queue(answer: httpx.Response, subject: str) -> Outcome:
    if answer.status_code != 200:
        return answer.status_code
    return SHOWN if subject in answer.text else ABSENT


def statement(case: Case[None]) -> httpx.Response:
    body = {"statement": "I photograph harbours at dawn."}
    return case.client.post(OWN_APPLICATION, json=body)


ROWS: list[Row[Any]] = [
    Row(
        "getCreator",
        lambda case: case.client.get(f"{CREATORS}/{case.subject.handle}"),
        each(200, blocked=404),
        owner,
    ),
    Row(
        "searchCreators",
        lambda case: case.client.get(CREATORS, params={"q": case.subject.handle}),
        each(SHOWN, blocked=ABSENT),
        owner,
        outcome=found,
    ),
    Row("followCreator", follow, each(204, anonymous=401, blocked=404, owner=422), owner),
    Row("unfollowCreator", unfollow, each(204, anonymous=401), owner),
    Row(
        "listMyFollowing",
        lambda case: case.client.get("/api/v1/me/following"),
        # A block that is made by a route ends the follow; this one was made around it.
        each(ABSENT, anonymous=401, follower=SHOWN, blocked=SHOWN),
        owner,
        outcome=found,
    ),
    Row(
        "listMyFollowers",
        lambda case: case.client.get(f"{CREATORS}/me/followers"),
        each(403, anonymous=401, other_creator=ABSENT, owner=SHOWN),
        follower,
        outcome=found,
    ),
    Row(
        "getCreatorSettings",
        lambda case: case.client.get(f"{CREATORS}/me/settings"),
        CREATORS_ONLY,
    ),
    Row(
        "editCreatorSettings",
        lambda case: case.client.patch(f"{CREATORS}/me/settings", json={}, headers=IF_MATCH),
        CREATORS_ONLY,
    ),
    Row(
        "applyAsCreator",
        statement,
        each(201, anonymous=401, other_creator=409, owner=409, moderator=403, admin=403),
    ),
    Row(
        "getMyApplication",
        lambda case: case.client.get(OWN_APPLICATION),
        each(404, anonymous=401),
        application,
    ),
    Row(
        "listApplications",
        lambda case: case.client.get(QUEUE),
        each(403, anonymous=401, moderator=SHOWN, admin=SHOWN),
        application,
        outcome=in_queue,
    ),
    Row(
        "approveApplication",
        lambda case: case.client.post(f"{QUEUE}/{case.subject}/approve"),
        STAFF,
        application,
        changes=True,
    ),
    Row(
        "rejectApplication",
        lambda case: case.client.post(f"{QUEUE}/{case.subject}/reject", json={"reason": "No."}),
        STAFF,
        application,
        changes=True,
    ),
]
