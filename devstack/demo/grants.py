"""Rights for the demo's viewers, until money gives them."""

from __future__ import annotations

from datetime import UTC, datetime

from devstack.people import Person
from infra.db import make_engine, transaction
from infra.queries.accounts import grant_gift, revoke_rights
from infra.settings import Settings


def grant(settings: Settings, *, fan: Person, creator: Person) -> None:
    """A gift of everything that the creator publishes."""
    engine = make_engine(settings)
    with transaction(engine) as session:
        grant_gift(
            session,
            fan_id=fan.id,
            creator_id=creator.id,
            media_id=None,
            expires_at=None,
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
