"""Rights that whoever runs the platform gives and takes, without money."""

from __future__ import annotations

from datetime import UTC, datetime

from devstack.people import Person
from infra.db import make_engine, transaction
from infra.queries.accounts import grant_gift, revoke_rights
from infra.settings import Settings


def grant(settings: Settings, *, fan: Person, creator: Person, post_id: str | None = None) -> None:
    """A gift of one post, or of all that the creator's subscribers see."""
    engine = make_engine(settings)
    with transaction(engine) as session:
        grant_gift(
            session,
            fan_id=fan.id,
            creator_id=creator.id,
            post_id=post_id,
            operator="demo",
        )
    engine.dispose()


def revoke(settings: Settings, *, fan: Person, creator: Person) -> None:
    """End every right of the fan on the creator's media."""
    engine = make_engine(settings)
    with transaction(engine) as session:
        revoke_rights(
            session,
            fan_id=fan.id,
            creator_id=creator.id,
            now=datetime.now(UTC),
            operator="demo",
        )
    engine.dispose()
