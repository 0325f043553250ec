"""A creator, fans and staff, each with a sign-in of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx2 as httpx
import pytest
from sqlalchemy import Engine, select

from api.auth.tokens import TokenKeys
from infra.db import transaction
from infra.models import AuditEntry
from tests.e2e.api.walk.people import People, Person, make_people
from tests.harness.api import RunningApi

ADMIN = "/api/v1/admin"
ME = "/api/v1/me"


@dataclass(frozen=True)
class Office:
    api: RunningApi
    engine: Engine
    people: People

    def client(self, person: Person) -> httpx.Client:
        token = TokenKeys(self.api.settings).mint(person.user.id, session_id=person.session.id)
        return self.api.client(token=token)

    @property
    def moderator(self) -> httpx.Client:
        return self.client(self.people.moderator)

    @property
    def admin(self) -> httpx.Client:
        return self.client(self.people.admin)

    def entries(self, action: str) -> list[AuditEntry]:
        with transaction(self.engine) as session:
            wanted = select(AuditEntry).where(AuditEntry.action == action).order_by(AuditEntry.id)
            return list(session.scalars(wanted))


@pytest.fixture
def office(api: RunningApi, engine: Engine) -> Office:
    return Office(api, engine, make_people(engine))


def code_of(answer: httpx.Response) -> tuple[int, Any]:
    return answer.status_code, answer.json().get("code")
