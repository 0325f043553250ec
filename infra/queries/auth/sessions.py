"""Sessions and their chains of refresh tokens.

A session is one sign-in on one device. Each refresh token of it is used once and replaced; all
of a session's tokens live and die together:

- A token that is used again within the grace is a client's retry, whose first answer was lost,
  or two requests at once. It gets a sibling.
- Using a token retires every sibling of it. So somebody who stole one and used it within the
  grace is found out at the next refresh, whoever of the two comes first.
- A token that is used again later is in two hands. The session ends for both.
- So is one whose line goes on by the grace time after time: retries meet again at the next
  refresh, but a thief who watches when the owner refreshes could follow within the grace for
  ever.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.auth import SessionEnd, SessionMode
from domain.errors import Unauthenticated
from infra.ids import new_id
from infra.models import AuthSession, RefreshToken, User
from infra.queries.callers import session_ended

_TOKEN_BYTES = 32
DETOURS_MAX = 2
"""By the grace, in a row: a retry whose answer was used at the same time as the first one's."""


@dataclass(frozen=True, slots=True)
class BegunSession:
    """A live session with a refresh token that nobody has used yet."""

    session_id: str
    refresh_token: str
    user_id: str
    mode: SessionMode


@dataclass(frozen=True, slots=True)
class Rotation:
    """What became of a refresh token. Commit it, and only then refuse what it says is stolen:
    an exception inside the transaction would bring the session back to life."""

    user: User
    session_id: str
    begun: BegunSession | None
    """None: the token was used before, and the session has ended now."""


async def begin_session(
    session: AsyncSession,
    *,
    user_id: str,
    mode: SessionMode,
    methods: Sequence[str],
    now: datetime,
    user_agent: str,
    ip: str | None,
    second_factor_at: datetime | None,
    ttl: timedelta,
) -> BegunSession:
    """Sign somebody in who has proved who they are.

    Args:
        methods: how, as RFC 8176 names it: `pwd`, `otp`, `mfa`, `hwk`.
        ttl: how long the session lives unused.
    """
    session_id = new_id()
    session.add(
        AuthSession(
            id=session_id,
            user_id=user_id,
            mode=mode,
            methods=list(methods),
            user_agent=user_agent,
            ip=ip,
            created_at=now,
            last_used_at=now,
            proved_at=now,
            second_factor_at=second_factor_at,
            expires_at=now + ttl,
        )
    )
    await session.flush()
    token = _issue_token(session, session_id, now=now)
    return BegunSession(session_id, token, user_id, mode)


async def rotate(
    session: AsyncSession,
    *,
    refresh_token: str,
    now: datetime,
    grace: timedelta,
    ttl: timedelta,
    ip: str | None,
) -> Rotation:
    """Use a refresh token: the session goes on with a new one, or it ends.

    Requests with tokens of one session go through here one after the other.

    Raises:
        Unauthenticated: `refresh_token_invalid`: nobody was given this token, or
            `session_ended`: it was signed out, or has expired, or its account is shut.
    """
    token_hash = hash_token(refresh_token)
    owner = select(RefreshToken.session_id).where(RefreshToken.token_hash == token_hash)
    found = (
        await session.execute(
            select(AuthSession, User)
            .join(User, User.id == AuthSession.user_id)
            .where(AuthSession.id == owner.scalar_subquery())
            .with_for_update(of=AuthSession)
        )
    ).one_or_none()
    if found is None:
        raise Unauthenticated("This refresh token is not valid.", code="refresh_token_invalid")
    family, user = found
    is_shut = user.deleted_at is not None or user.suspended_at is not None
    if family.revoked_at is not None or family.expires_at <= now or is_shut:
        raise session_ended()
    token = await session.get_one(RefreshToken, token_hash)
    detours = 0
    if token.used_at is None:
        token.detours = 0  # It is the first one now; its own retries are as good as any.
        await _retire_all(session, family.id, now=now)
    elif now - token.used_at <= grace and token.detours < DETOURS_MAX:
        detours = token.detours + 1
    else:
        family.revoked_at, family.revoked_reason = now, SessionEnd.TOKEN_REUSED
        return Rotation(user, family.id, None)
    family.last_used_at, family.expires_at = now, now + ttl
    if ip is not None:
        family.ip = ip
    issued = _issue_token(session, family.id, now=now, detours=detours)
    mode = SessionMode(family.mode)
    return Rotation(user, family.id, BegunSession(family.id, issued, user.id, mode))


async def hold_session(session: AsyncSession, *, user_id: str, session_id: str) -> bool:
    """Is it a session of this user that nobody has ended? Then nobody does until the caller's
    transaction is over."""
    found = await session.scalar(
        select(AuthSession.id)
        .where(
            AuthSession.id == session_id,
            AuthSession.user_id == user_id,
            AuthSession.revoked_at.is_(None),
        )
        .with_for_update(read=True)
    )
    return found is not None


async def revoke_session(
    session: AsyncSession, *, user_id: str, session_id: str, reason: SessionEnd, now: datetime
) -> bool:
    """End a live session of this user; False where there is none."""
    ended = await session.scalar(
        update(AuthSession)
        .where(
            AuthSession.id == session_id,
            AuthSession.user_id == user_id,
            AuthSession.revoked_at.is_(None),
            AuthSession.expires_at > now,
        )
        .values(revoked_at=now, revoked_reason=reason)
        .returning(AuthSession.id)
    )
    return ended is not None


async def revoke_all(
    session: AsyncSession,
    *,
    user_id: str,
    reason: SessionEnd,
    now: datetime,
    except_session_id: str | None = None,
) -> int:
    """End every live session of this user but one; returns how many there were."""
    wanted = update(AuthSession).where(
        AuthSession.user_id == user_id, AuthSession.revoked_at.is_(None)
    )
    if except_session_id is not None:
        wanted = wanted.where(AuthSession.id != except_session_id)
    ended = await session.scalars(
        wanted.values(revoked_at=now, revoked_reason=reason).returning(AuthSession.id)
    )
    return len(ended.all())


def hash_token(token: str) -> bytes:
    """Tokens hold 256 random bits: nothing is gained by hashing them slowly."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _issue_token(session: AsyncSession, session_id: str, *, now: datetime, detours: int = 0) -> str:
    token = base64.urlsafe_b64encode(secrets.token_bytes(_TOKEN_BYTES)).decode().rstrip("=")
    session.add(
        RefreshToken(
            token_hash=hash_token(token), session_id=session_id, issued_at=now, detours=detours
        )
    )
    return token


async def _retire_all(session: AsyncSession, session_id: str, *, now: datetime) -> None:
    await session.execute(
        update(RefreshToken)
        .where(RefreshToken.session_id == session_id, RefreshToken.used_at.is_(None))
        .values(used_at=now)
    )
