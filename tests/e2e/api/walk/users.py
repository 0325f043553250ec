"""Rows of one's own account. None has a subject of somebody else's but a block."""

from __future__ import annotations

from typing import Any

import httpx2 as httpx

from tests.e2e.api.walk.rows import ABSENT, SHOWN, Case, Outcome, Row, Stage, each

ME = "/api/v1/me"
SIGNED_IN = each(200, anonymous=401)
IF_MATCH = {"if-match": "*"}


def own_answer(answer: httpx.Response, subject: object) -> Outcome:
    """Nobody else's address stands in it."""
    del subject
    if answer.status_code == 200 and "email" in answer.json():
        # Handles end in a part that is theirs alone, before and after they are changed.
        assert f"{answer.json()['handle'][-8:]}@walk.example" in answer.json()["email"]
    return answer.status_code


def owner_id(stage: Stage) -> str:
    return stage.owner.id


def listed(answer: httpx.Response, subject: str) -> Outcome:
    if answer.status_code != 200:
        return answer.status_code
    return SHOWN if subject in answer.text else ABSENT


def change_handle(case: Case[None]) -> httpx.Response:
    handle = case.viewer.handle if case.viewer else "nobody"
    return case.client.put(f"{ME}/handle", json={"handle": f"new-{handle[-8:]}"})


ROWS: list[Row[Any]] = [
    Row("getMe", lambda case: case.client.get(ME), SIGNED_IN, outcome=own_answer),
    Row(
        "editMe",
        lambda case: case.client.patch(ME, json={"bio": "Hello"}, headers=IF_MATCH),
        SIGNED_IN,
        outcome=own_answer,
    ),
    Row("getMySettings", lambda case: case.client.get(f"{ME}/settings"), SIGNED_IN),
    Row(
        "editMySettings",
        lambda case: case.client.patch(f"{ME}/settings", json={}, headers=IF_MATCH),
        SIGNED_IN,
    ),
    Row("changeMyHandle", change_handle, SIGNED_IN, outcome=own_answer),
    Row("bootstrap", lambda case: case.client.get(f"{ME}/bootstrap"), SIGNED_IN),
    Row(
        "blockUser",
        lambda case: case.client.put(f"{ME}/blocks/{case.subject}"),
        each(204, anonymous=401, owner=422),
        owner_id,
    ),
    Row(
        "unblockUser",
        lambda case: case.client.delete(f"{ME}/blocks/{case.subject}"),
        each(204, anonymous=401),
        owner_id,
    ),
    Row(
        "listMyBlocks",
        lambda case: case.client.get(f"{ME}/blocks"),
        each(ABSENT, anonymous=401, owner=SHOWN),
        lambda stage: stage.people.blocked.user.id,
        outcome=listed,
    ),
    Row(
        "listMyEntitlements",
        lambda case: case.client.get(f"{ME}/entitlements"),
        # The right of who is blocked opens nothing.
        each(ABSENT, anonymous=401, entitled=SHOWN),
        owner_id,
        outcome=listed,
    ),
]
