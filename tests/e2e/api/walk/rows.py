"""What a row of the walk says: an operation, what it is sent for, and what each viewer gets.

    Row("getPost", lambda case: case.get(f"{POSTS}/{case.subject.id}"),
        each(404, entitled=OPEN, owner=OPEN, ...), subject=gated_post, outcome=decision_of)

`subject` makes what is asked for, owned by the row's `owner`: a media, a post, a session, or
nothing at all where a route has no subject. Whatever it holds that a refusal must not tell is
`SECRET_TEXT`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import httpx2 as httpx
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from sqlalchemy import Engine

from api.auth.tokens import TokenKeys
from infra.models import User
from infra.settings import Settings
from tests.e2e.api.published import Publisher
from tests.e2e.api.walk.people import VIEWERS, People, Person
from tests.harness.api import RunningApi

OPEN, LOCKED = "open", "locked"
"""200, and the decision in the answer is this one."""
SHOWN, ABSENT = "shown", "absent"
"""200, and the subject is, or is not, in the list."""
SECRET_TEXT = "Only for you"
_SECRETS = (SECRET_TEXT, "A secret beach", "photo.jpg", "X-Amz-Signature")

Outcome = int | str
Subject = TypeVar("Subject")


@dataclass(frozen=True)
class Stage:
    """What a row's subject is made with."""

    api: RunningApi
    engine: Engine
    publish: Publisher
    people: People

    @property
    def owner(self) -> User:
        return self.people.owner.user

    def client_of(self, person: Person | None) -> httpx.Client:
        """Signed in with the person's session, or as nobody."""
        if person is None:
            return self.api.client()
        keys = TokenKeys(self.api.settings)
        token = keys.mint(person.user.id, session_id=person.session.id)
        return self.api.client(token=token)


@dataclass(frozen=True)
class Case(Generic[Subject]):
    """One viewer before one subject, of somebody else's or of their own."""

    stage: Stage
    person: Person | None
    subject: Subject
    client: httpx.Client

    @property
    def viewer(self) -> User | None:
        return self.person.user if self.person else None

    @property
    def settings(self) -> Settings:
        return self.stage.api.settings


def each(otherwise: Outcome | None = None, **outcomes: Outcome) -> dict[str, Outcome]:
    """What each of `VIEWERS` gets; those not named get `otherwise`."""
    assert set(outcomes) <= set(VIEWERS), f"no such viewer: {set(outcomes) - set(VIEWERS)}"
    said = {name: outcomes.get(name, otherwise) for name in VIEWERS}
    unsaid = [name for name, outcome in said.items() if outcome is None]
    assert not unsaid, f"nothing is said of {unsaid}"
    return {name: outcome for name, outcome in said.items() if outcome is not None}


def status_of(answer: httpx.Response, subject: object) -> Outcome:
    del subject
    return answer.status_code


def nothing(stage: Stage) -> None:
    """The subject of a route that has none."""
    del stage


@dataclass(frozen=True)
class Row(Generic[Subject]):
    """One operation, by everybody."""

    operation: str
    call: Callable[[Case[Subject]], httpx.Response]
    expected: dict[str, Outcome]
    subject: Callable[[Stage], Subject] = field(default=nothing)  # type: ignore[assignment]
    # Rows without a subject are `Row[None]`, which mypy can't say of a default.
    label: str = ""
    """Tells rows of one operation apart."""
    outcome: Callable[[httpx.Response, Subject], Outcome] = status_of
    changes: bool = False
    """The call changes its subject: each viewer gets one of their own to call it on."""

    @property
    def name(self) -> str:
        return f"{self.operation}-{self.label}" if self.label else self.operation


def faults_of(app: FastAPI, rows: Iterable[Row[Any]], without_operation: set[str]) -> list[str]:
    """What the walk leaves out of this application, or has too much; one line each."""
    contexts = list(iter_route_contexts(app.routes))
    named: dict[str, str] = {}
    unnamed: set[str] = set()
    for context in contexts:
        operation = getattr(context, "operation_id", None)
        if operation is None:
            unnamed.add(str(context.path))
        else:
            named[operation] = str(context.path)
    walked = {row.operation for row in rows}
    return [
        *(f"{named[name]}: {name} has no row" for name in sorted(named.keys() - walked)),
        *(f"{name}: a row, but no route" for name in sorted(walked - named.keys())),
        *(f"{path}: has no operation id" for path in sorted(unnamed - without_operation)),
    ]


def leaks_of(answer: httpx.Response, outcome: Outcome) -> list[str]:
    """What an answer tells of a subject that it doesn't open."""
    if answer.status_code < 400 and outcome not in (LOCKED, ABSENT):
        return []
    return [secret for secret in _SECRETS if secret in answer.text]
