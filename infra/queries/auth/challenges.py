"""Steps between two requests: a challenge is opened, and taken once, within minutes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.auth import ChallengeKind
from domain.errors import Gone
from domain.factors import CHALLENGE_TTL_SECONDS, CODE_ATTEMPTS_MAX
from infra.ids import new_id
from infra.models import AuthChallenge
from infra.reads import ReadPool
from infra.webauthn import new_challenge


@dataclass(frozen=True, slots=True)
class WaitingChallenge:
    user_id: str
    challenge: bytes


async def open_challenge(
    session: AsyncSession,
    *,
    kind: ChallengeKind,
    now: datetime,
    user_id: str | None = None,
    session_id: str | None = None,
) -> AuthChallenge:
    """A new one, that a few minutes are given for. Those that are over are swept."""
    opened = AuthChallenge(
        id=new_id(),
        kind=kind.value,
        user_id=user_id,
        session_id=session_id,
        challenge=new_challenge(),
        created_at=now,
        expires_at=now + timedelta(seconds=CHALLENGE_TTL_SECONDS),
    )
    session.add(opened)
    await session.flush()
    return opened


async def take_challenge(
    session: AsyncSession,
    challenge_id: str,
    *,
    kind: ChallengeKind,
    now: datetime,
    user_id: str | None = None,
    session_id: str | None = None,
) -> bytes:
    """The bytes that were to be signed. They are used up, whatever comes of the signature:
    commit even if it is refused.

    Args:
        user_id, session_id: for whom it must have been opened.

    Raises:
        Gone: `challenge_over`.
    """
    challenge: bytes | None = await session.scalar(
        update(AuthChallenge)
        .where(
            AuthChallenge.id == challenge_id,
            AuthChallenge.kind == kind.value,
            AuthChallenge.user_id.is_not_distinct_from(user_id),
            AuthChallenge.session_id.is_not_distinct_from(session_id),
            AuthChallenge.used_at.is_(None),
            AuthChallenge.expires_at > now,
        )
        .values(used_at=now)
        .returning(AuthChallenge.challenge)
    )
    if challenge is None:
        raise challenge_over()
    return challenge


async def account_of_challenge(reads: ReadPool, challenge_id: str) -> str | None:
    """Whose password was right, so that their tries can be counted before any is made."""
    row = await reads.fetch_one(
        b"SELECT user_id::text FROM auth_challenges WHERE id = %(id)s::uuid", {"id": challenge_id}
    )
    return row[0] if row else None


async def begin_attempt(
    session: AsyncSession, challenge_id: str, *, now: datetime
) -> AuthChallenge:
    """A try to answer for a second factor, counted: commit even if it fails. The row stays
    locked, so that two tries come one after the other.

    Raises:
        Gone: `challenge_over`: there is none such, or it was answered, tried too often, or
            has expired.
    """
    challenge: AuthChallenge | None = await session.scalar(
        update(AuthChallenge)
        .where(
            AuthChallenge.id == challenge_id,
            AuthChallenge.kind == ChallengeKind.SECOND_FACTOR.value,
            AuthChallenge.used_at.is_(None),
            AuthChallenge.expires_at > now,
            AuthChallenge.attempts < CODE_ATTEMPTS_MAX,
        )
        .values(attempts=AuthChallenge.attempts + 1)
        .returning(AuthChallenge)
    )
    if challenge is None:
        raise challenge_over()
    return challenge


async def waiting_challenge(
    session: AsyncSession, challenge_id: str, *, now: datetime
) -> WaitingChallenge:
    """One that still waits for its second factor. Counts nothing.

    Raises:
        Gone: `challenge_over`.
    """
    row = (
        await session.execute(
            select(AuthChallenge.user_id, AuthChallenge.challenge).where(
                AuthChallenge.id == challenge_id,
                AuthChallenge.kind == ChallengeKind.SECOND_FACTOR.value,
                AuthChallenge.used_at.is_(None),
                AuthChallenge.expires_at > now,
                AuthChallenge.attempts < CODE_ATTEMPTS_MAX,
            )
        )
    ).one_or_none()
    if row is None or row.user_id is None:
        raise challenge_over()
    return WaitingChallenge(row.user_id, row.challenge)


async def void_challenges(session: AsyncSession, user_id: str, *, now: datetime) -> None:
    """End what was begun with a password that does not count any more. Lock the user first."""
    await session.execute(
        update(AuthChallenge)
        .where(
            AuthChallenge.user_id == user_id,
            AuthChallenge.kind == ChallengeKind.SECOND_FACTOR.value,
            AuthChallenge.used_at.is_(None),
        )
        .values(used_at=now)
    )


def challenge_over() -> Gone:
    """One answer to all that may be wrong with it: nobody learns which ones there are."""
    return Gone(
        "This step is over: it was answered, tried too often, or took too long. Begin again.",
        code="challenge_over",
    )
