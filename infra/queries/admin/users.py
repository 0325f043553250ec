"""Accounts as staff see them: one statement each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from domain.accounts import Role
from domain.errors import NotFound
from domain.paging import Keyset
from infra.reads import ReadPool


class Standing(StrEnum):
    """How an account stands; each is in one of these."""

    ACTIVE = "active"
    UNVERIFIED = "unverified"
    """Its address is not confirmed, so nobody can sign in to it."""
    SUSPENDED = "suspended"
    DELETED = "deleted"


_COLUMNS = """
    u.id::text, u.handle, u.display_name, u.role, u.email::text, u.email_verified_at,
    u.created_at, u.suspended_at, u.deleted_at
"""
_STANDINGS = {
    Standing.ACTIVE: "u.deleted_at IS NULL AND u.suspended_at IS NULL"
    " AND (u.email IS NULL OR u.email_verified_at IS NOT NULL)",
    Standing.UNVERIFIED: "u.deleted_at IS NULL AND u.suspended_at IS NULL"
    " AND u.email IS NOT NULL AND u.email_verified_at IS NULL",
    Standing.SUSPENDED: "u.deleted_at IS NULL AND u.suspended_at IS NOT NULL",
    Standing.DELETED: "u.deleted_at IS NOT NULL",
}
_CONDITIONS = {
    "handle": "u.handle LIKE %(handle)s",
    "email": "u.email = %(email)s::citext",
    "role": "u.role = %(role)s",
    "before": "u.id < %(before)s::uuid",
}
_DETAIL = f"""
SELECT {_COLUMNS}, u.password_hash IS NOT NULL,
    EXISTS (SELECT 1 FROM totp_secrets t WHERE t.user_id = u.id AND t.confirmed_at IS NOT NULL),
    (SELECT count(*) FROM passkeys p WHERE p.user_id = u.id),
    (SELECT count(*) FROM auth_sessions s
     WHERE s.user_id = u.id AND s.revoked_at IS NULL AND s.expires_at > %(now)s)
FROM users u WHERE u.id = %(user_id)s::uuid
""".encode()


@dataclass(frozen=True, slots=True)
class StaffView:
    """What staff see of an account in a list."""

    id: str
    handle: str
    display_name: str
    role: Role
    email: str | None
    email_verified_at: datetime | None
    created_at: datetime
    suspended_at: datetime | None
    deleted_at: datetime | None

    @property
    def standing(self) -> Standing:
        if self.deleted_at is not None:
            return Standing.DELETED
        if self.suspended_at is not None:
            return Standing.SUSPENDED
        if self.email is not None and self.email_verified_at is None:
            return Standing.UNVERIFIED
        return Standing.ACTIVE


@dataclass(frozen=True, slots=True)
class StaffDetail:
    """And besides, of one that they look at."""

    user: StaffView
    has_password: bool
    has_totp: bool
    passkeys: int
    live_sessions: int


async def search_users(
    reads: ReadPool,
    *,
    handle_prefix: str | None,
    email: str | None,
    role: Role | None,
    standing: Standing | None,
    limit: int,
    after: Keyset | None,
) -> tuple[list[StaffView], bool]:
    """The next `limit` accounts, newest first, and whether more follow.

    In the order of ids, which are made in the order of time: so every search has an index.
    """
    prefix = None if handle_prefix is None else f"{_literal(handle_prefix)}%"
    given: dict[str, Any] = {
        "handle": prefix,
        "email": email,
        "role": role,
        "before": after.id if after else None,
    }
    params = {name: value for name, value in given.items() if value is not None}
    conditions = [_CONDITIONS[name] for name in params]
    if standing is not None:
        conditions.append(_STANDINGS[standing])
    statement = f"""
        SELECT {_COLUMNS} FROM users u WHERE {" AND ".join(conditions) or "true"}
        ORDER BY u.id DESC LIMIT %(limit)s
    """
    rows = await reads.fetch_all(statement.encode(), {**params, "limit": limit + 1})
    return [_view(row) for row in rows[:limit]], len(rows) > limit


async def find_detail(reads: ReadPool, user_id: str, *, now: datetime) -> StaffDetail:
    """One account, whatever became of it.

    Raises:
        NotFound: `user_not_found`.
    """
    row = await reads.fetch_one(_DETAIL, {"user_id": user_id, "now": now})
    if row is None:
        raise user_not_found()
    return StaffDetail(_view(row[:9]), *row[9:])


def user_not_found() -> NotFound:
    return NotFound("There is no such user.", code="user_not_found")


def _view(columns: tuple[Any, ...]) -> StaffView:
    user_id, handle, display_name, role, *rest = columns
    return StaffView(user_id, handle, display_name, Role(role), *rest)


def _literal(text: str) -> str:
    """`LIKE` reads `_` as any character, and handles may hold it."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
