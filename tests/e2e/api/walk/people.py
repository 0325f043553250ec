"""Who walks: one set of people for each row, all made in one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from domain.access import GrantSource
from domain.accounts import Role
from infra.db import transaction
from infra.ids import new_id
from infra.models import AuthSession, Block, Creator, Entitlement, Follow, User

VIEWERS = (
    "anonymous",
    "stranger",
    "entitled",
    "follower",
    "blocked",
    "other_creator",
    "owner",
    "moderator",
    "admin",
)
ROLES = {
    "other_creator": Role.CREATOR,
    "owner": Role.CREATOR,
    "moderator": Role.MODERATOR,
    "admin": Role.ADMIN,
}


@dataclass(frozen=True)
class Person:
    """Somebody with an account, a verified address and a sign-in with a second factor."""

    user: User
    session: AuthSession


@dataclass(frozen=True)
class People:
    """Everybody before one creator, `owner`.

    `entitled` subscribes to them, `follower` follows them, `blocked` does both and is blocked.
    """

    stranger: Person
    entitled: Person
    follower: Person
    blocked: Person
    other_creator: Person
    owner: Person
    moderator: Person
    admin: Person

    def each(self) -> Iterator[tuple[str, Person | None]]:
        """In the order of `VIEWERS`; nobody for `anonymous`."""
        for name in VIEWERS:
            yield name, None if name == "anonymous" else getattr(self, name)


def make_people(engine: Engine) -> People:
    people = {name: _person(name) for name in VIEWERS[1:]}
    owner = people["owner"].user
    with transaction(engine) as session:
        session.add_all([person.user for person in people.values()])
        session.flush()
        session.add_all([person.session for person in people.values()])
        for person in people.values():
            if person.user.role == Role.CREATOR:
                session.add(Creator(user_id=person.user.id))
        for name in ("entitled", "blocked"):
            _subscribe(session, people[name].user, owner)
        for name in ("follower", "blocked"):
            session.add(Follow(fan_id=people[name].user.id, creator_id=owner.id))
        session.add(Block(blocker_id=owner.id, blocked_id=people["blocked"].user.id))
    return People(**people)


def _person(name: str) -> Person:
    user_id, now = new_id(), datetime.now(UTC)
    handle = f"{name.replace('_', '-')}-{user_id[-8:]}"
    user = User(
        id=user_id,
        handle=handle,
        role=ROLES.get(name, Role.FAN).value,
        display_name=name,
        email=f"{handle}@walk.example",
        email_verified_at=now,
    )
    sign_in = AuthSession(
        id=new_id(),
        user_id=user_id,
        methods=["pwd", "otp", "mfa"],
        second_factor_at=now,
        expires_at=now + timedelta(days=1),
    )
    return Person(user, sign_in)


def _subscribe(session: Session, fan: User, creator: User) -> None:
    right = Entitlement(
        id=new_id(),
        fan_id=fan.id,
        creator_id=creator.id,
        source=GrantSource.GIFT.value,
        starts_at=datetime.now(UTC) - timedelta(hours=1),
    )
    session.add(right)
