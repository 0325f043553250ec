"""Rows of signing in: accounts, sessions, passwords, keys."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2 as httpx

from infra.db import transaction
from infra.ids import new_id
from infra.models import AuthSession
from tests.e2e.api.walk.rows import ABSENT, SHOWN, Case, Outcome, Row, Stage, each

AUTH = "/api/v1/auth"
PASSWORD = "violet teapot on the harbour wall"


def post(path: str, body: Any = None) -> Callable[[Case[Any]], httpx.Response]:
    return lambda case: case.client.post(f"{AUTH}{path}", json=body)


def register(case: Case[Any]) -> httpx.Response:
    handle = f"new{new_id()[-12:]}"
    wish = {"handle": handle, "email": f"{handle}@example.com", "password": PASSWORD}
    return case.client.post(f"{AUTH}/register", json=wish)


def owners_session(stage: Stage) -> AuthSession:
    row = AuthSession(
        id=new_id(), user_id=stage.owner.id, expires_at=datetime.now(UTC) + timedelta(days=1)
    )
    with transaction(stage.engine) as session:
        session.add(row)
    return row


def listed(answer: httpx.Response, subject: AuthSession) -> Outcome:
    if answer.status_code != 200:
        return answer.status_code
    return SHOWN if subject.id in answer.text else ABSENT


NOBODYS = {"name": "nobody", "password": PASSWORD}
SOMEBODYS = {"email": "somebody@example.com"}
ROWS: list[Row[Any]] = [
    Row("register", register, each(202)),
    Row("verifyEmail", post("/verify-email", {"token": "forged"}), each(422)),
    Row("resendVerification", post("/verify-email/resend", SOMEBODYS), each(202)),
    Row("signIn", post("/login", NOBODYS), each(401)),
    Row("refreshSession", post("/refresh", {"refresh_token": "forged"}), each(401)),
    Row("signOut", post("/logout"), each(204, anonymous=401)),
    Row("signOutEverywhere", post("/logout-all"), each(204, anonymous=401)),
    Row(
        "listSessions",
        lambda case: case.client.get(f"{AUTH}/sessions"),
        each(ABSENT, anonymous=401, owner=SHOWN),
        owners_session,
        outcome=listed,
    ),
    Row(
        "revokeSession",
        lambda case: case.client.delete(f"{AUTH}/sessions/{case.subject.id}"),
        each(404, anonymous=401, owner=204),
        owners_session,
        changes=True,
    ),
    Row(
        "changePassword",
        # Nobody here has a password: the one that they give as theirs is wrong.
        post("/password/change", {"current_password": "wrong", "new_password": PASSWORD}),
        each(403, anonymous=401),
    ),
    Row("forgotPassword", post("/password/forgot", SOMEBODYS), each(202)),
    Row(
        "resetPassword",
        post("/password/reset", {"token": "forged", "new_password": PASSWORD}),
        each(422),
    ),
    # Nobody here has an address, nor proved anything a moment ago.
    Row("changeEmail", post("/email/change", SOMEBODYS), each(202, anonymous=401)),
    Row("confirmEmail", post("/email/confirm", {"token": "forged"}), each(422)),
    Row("getKeys", lambda case: case.client.get("/.well-known/jwks.json"), each(200)),
    Row("getAuthKeys", lambda case: case.client.get(f"{AUTH}/jwks"), each(200)),
]
