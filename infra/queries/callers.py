"""Who a caller is now: their standing, for routes that need more than a token says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.access import Caller
from domain.accounts import Role
from domain.errors import Unauthenticated
from infra.models import AuthSession, User
from infra.reads import ReadPool

_STANDING = b"""
SELECT u.handle, u.role, s.id IS NOT NULL, s.proved_at, s.second_factor_at
FROM users u
LEFT JOIN auth_sessions s
    ON s.id = %(session_id)s::uuid AND s.user_id = u.id AND s.revoked_at IS NULL
WHERE u.id = %(user_id)s::uuid AND u.deleted_at IS NULL AND u.suspended_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class CallerStanding:
    """A caller whose account is open and whose session, if the token names one, is live."""

    user_id: str
    handle: str
    role: Role
    session_id: str | None
    """None: the token was minted by whoever runs the platform, and proves itself."""
    proved_at: datetime | None
    second_factor_at: datetime | None

    @property
    def has_session(self) -> bool:
        return self.session_id is not None

    @property
    def caller(self) -> Caller:
        return Caller(self.user_id, self.session_id)


async def caller_standing(reads: ReadPool, caller: Caller) -> CallerStanding:
    """One statement.

    Raises:
        Unauthenticated: `session_ended`.
    """
    row = await reads.fetch_one(
        _STANDING, {"user_id": caller.user_id, "session_id": caller.session_id}
    )
    if caller.user_id is None or row is None:
        raise session_ended()
    handle, role, is_live, proved_at, second_factor_at = row
    if caller.session_id is not None and not is_live:
        raise session_ended()
    return CallerStanding(
        caller.user_id,
        handle,
        Role(role),
        caller.session_id,
        proved_at,
        second_factor_at,
    )


async def load_caller(session: AsyncSession, caller: Caller, *, lock: bool = False) -> User:
    """The caller's row inside a transaction that writes on their behalf.

    Raises:
        Unauthenticated: `session_ended`.
    """
    wanted = select(User).where(
        User.id == caller.user_id, User.deleted_at.is_(None), User.suspended_at.is_(None)
    )
    live = select(AuthSession.id).where(
        AuthSession.id == caller.session_id,
        AuthSession.user_id == caller.user_id,
        AuthSession.revoked_at.is_(None),
    )
    if lock:
        # Not FOR UPDATE, which would wait for, and hold up, every insert that names this user: a
        # sign-in in mid-air, for instance.
        wanted = wanted.with_for_update(key_share=True)
    elif caller.session_id is not None:
        wanted = wanted.where(live.exists())
    user: User | None = await session.scalar(wanted)
    if user is None:
        raise session_ended()
    # A statement of its own, once the lock is there: one that had to wait for it looks at the
    # user anew and at other tables as they were before, such as a session that ended meanwhile.
    if lock and caller.session_id is not None and await session.scalar(live) is None:
        raise session_ended()
    return user


def session_ended() -> Unauthenticated:
    return Unauthenticated(
        "This sign-in does not count any more. Sign in again.", code="session_ended"
    )
