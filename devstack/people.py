"""Accounts for demo, corpus and tests, and their tokens."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from api.auth.tokens import mint_token
from domain.accounts import Role
from infra.db import make_engine, transaction
from infra.models import User
from infra.queries.accounts import create_user
from infra.settings import Settings

TOKEN_SECONDS = 4 * 3600


@dataclass(frozen=True)
class Person:
    id: str
    handle: str
    token: str


def ensure_person(settings: Settings, handle: str, role: Role) -> Person:
    """The account of that handle, made when absent, with a fresh token."""
    engine = make_engine(settings)
    try:
        with transaction(engine) as session:
            user_id = session.scalar(select(User.id).where(User.handle == handle))
            if user_id is None:
                user_id = create_user(
                    session, handle=handle, role=role, display_name=handle, operator="devstack"
                )
    finally:
        engine.dispose()
    return Person(user_id, handle, mint_token(settings, user_id, ttl_seconds=TOKEN_SECONDS))
