"""Accounts with passwords, clients that are signed in, and the tokens that were mailed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

import httpx2 as httpx
import pytest
from argon2 import PasswordHasher
from prometheus_client import REGISTRY
from sqlalchemy import Engine, select

from domain.accounts import Role
from domain.auth import MailKind
from domain.mails import mail_token
from infra.db import transaction
from infra.ids import new_id
from infra.models import AuditEntry, Mail, User
from tests.harness.api import RunningApi
from tests.harness.rows import MakeUser

AUTH = "/api/v1/auth"
PASSWORD = "violet teapot on the harbour wall"
OTHER_PASSWORD = "seven lanterns under grey slate"
SETTLE_SECONDS = 10


@cache
def hash_of(password: str, *, rounds: int = 2) -> str:
    return PasswordHasher(time_cost=rounds, memory_cost=19 * 1024, parallelism=1).hash(password)


@dataclass
class Accounts:
    """Makes accounts that may sign in with `PASSWORD`, unless told otherwise."""

    api: RunningApi
    engine: Engine
    make_user: MakeUser

    def make(self, *, role: Role = Role.FAN, **columns: Any) -> User:
        handle = columns.pop("handle", None) or f"p{new_id()[-12:]}"
        values: dict[str, Any] = {
            "email": f"{handle}@example.com",
            "email_verified_at": datetime.now(UTC),
            "password_hash": hash_of(PASSWORD),
        }
        return self.make_user(role=role, handle=handle, **(values | columns))

    def login(self, user: User, *, password: str = PASSWORD, **fields: Any) -> httpx.Response:
        body = {"name": user.handle, "password": password, **fields}
        return self.api.client().post(f"{AUTH}/login", json=body)

    def signed_in(self, user: User) -> tuple[httpx.Client, dict[str, Any]]:
        """A bearer client of a session of its own, and what the sign-in answered."""
        answer = self.login(user)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return self.api.client(token=body["access_token"]), body

    def ask(self, path: str, body: dict[str, Any]) -> httpx.Response:
        """Post as nobody, and wait until the API is done with what it does after its answer."""
        url, before = f"{AUTH}{path}", _requests_done(f"{AUTH}{path}")
        answer = self.api.client().post(
            url, json=body, headers={"x-request-id": "the-same-for-all"}
        )
        deadline = time.monotonic() + SETTLE_SECONDS
        while _requests_done(url) == before:
            assert time.monotonic() < deadline, f"{url} is not done"
            time.sleep(0.005)
        return answer

    def mails(self, kind: MailKind) -> list[Mail]:
        with transaction(self.engine) as session:
            wanted = select(Mail).where(Mail.kind == kind).order_by(Mail.created_at, Mail.id)
            return list(session.scalars(wanted))

    def token_in(self, mail: Mail) -> str:
        key = self.api.settings.url_signing_key_bytes
        return mail_token(mail.id, kind=MailKind(mail.kind), key=key)

    def read(self, user: User) -> User:
        """The row as it is now."""
        with transaction(self.engine) as session:
            return session.get_one(User, user.id)

    def audited(self) -> list[AuditEntry]:
        with transaction(self.engine) as session:
            return list(session.scalars(select(AuditEntry).order_by(AuditEntry.id)))


@pytest.fixture
def accounts(api: RunningApi, engine: Engine, make_user: MakeUser) -> Accounts:
    return Accounts(api, engine, make_user)


def _requests_done(route: str) -> float:
    return sum(
        sample.value
        for metric in REGISTRY.collect()
        for sample in metric.samples
        if sample.name == "fansworld_http_requests_total" and sample.labels["route"] == route
    )


@contextmanager
def counting(work: str) -> Iterator[list[int]]:
    """How often the API did a piece of password work within the block: `[count]` at its end."""
    name, labels = "fansworld_password_seconds_count", {"work": work}
    before = REGISTRY.get_sample_value(name, labels) or 0
    counted: list[int] = []
    yield counted
    counted.append(int((REGISTRY.get_sample_value(name, labels) or 0) - before))
