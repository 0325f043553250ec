"""Rows of what is for staff."""

from __future__ import annotations

from typing import Any

import httpx2 as httpx

from tests.e2e.api.walk.rows import Case, Row, Stage, each

ADMIN = "/api/v1/admin"
STAFF_ONLY = each(403, anonymous=401, moderator=200, admin=200)
ADMIN_ONLY = each(403, anonymous=401, admin=200)
WHY = {"reason": "Case 7"}


def owner_id(stage: Stage) -> str:
    return stage.owner.id


def admin_id(stage: Stage) -> str:
    return stage.people.admin.user.id


def moderator_id(stage: Stage) -> str:
    return stage.people.moderator.user.id


def act(name: str) -> Any:
    def call(case: Case[str]) -> httpx.Response:
        return case.client.post(f"{ADMIN}/users/{case.subject}/{name}", json=WHY)

    return call


def make_moderator(case: Case[str]) -> httpx.Response:
    change = {"role": "moderator", **WHY}
    return case.client.put(f"{ADMIN}/users/{case.subject}/role", json=change)


ROWS: list[Row[Any]] = [
    Row("searchUsers", lambda case: case.client.get(f"{ADMIN}/users"), STAFF_ONLY),
    Row("searchAuditLog", lambda case: case.client.get(f"{ADMIN}/audit"), ADMIN_ONLY),
    Row(
        "inspectUser",
        lambda case: case.client.get(f"{ADMIN}/users/{case.subject}"),
        STAFF_ONLY,
        owner_id,
    ),
    Row("changeRole", make_moderator, each(403, anonymous=401), admin_id, label="of-an-admin"),
    Row("changeRole", make_moderator, ADMIN_ONLY, moderator_id, label="of-a-moderator"),
    Row("reinstateUser", act("reinstate"), STAFF_ONLY, owner_id),
    Row("reinstateUser", act("reinstate"), ADMIN_ONLY, moderator_id, label="of-staff"),
    Row("resetFactors", act("reset-factors"), ADMIN_ONLY, owner_id),
    Row("suspendUser", act("suspend"), each(403, anonymous=401), admin_id, label="of-an-admin"),
    # Those that it shuts have walked before.
    Row("suspendUser", act("suspend"), ADMIN_ONLY, moderator_id, label="of-staff"),
    Row("suspendUser", act("suspend"), STAFF_ONLY, owner_id, label="of-a-creator"),
]
