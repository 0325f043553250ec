"""Second factors: which ones somebody has, and the step between password and factor."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.access import Caller
from domain.auth import ChallengeKind
from domain.factors import Factor
from infra.models import AuthSession, Passkey, RecoveryCode, TotpSecret
from infra.queries.access.gathering import VIEWER
from infra.queries.auth.challenges import open_challenge
from infra.queries.auth.totp import drop_recovery_codes
from infra.queries.callers import session_ended
from infra.reads import ReadPool

_OF_CALLER = f"""
WITH {VIEWER}
SELECT u.password_hash IS NOT NULL,
       EXISTS (SELECT FROM totp_secrets t
               WHERE t.user_id = v.id AND t.confirmed_at IS NOT NULL),
       (SELECT count(*) FROM passkeys p WHERE p.user_id = v.id),
       (SELECT count(*) FROM recovery_codes r WHERE r.user_id = v.id AND r.used_at IS NULL)
FROM viewer v JOIN users u ON u.id = v.id
""".encode()


@dataclass(frozen=True, slots=True)
class Factors:
    """What an account may be signed in to with."""

    has_password: bool
    has_totp: bool
    passkeys: int
    recovery_codes_left: int

    @property
    def asks_for_second_factor(self) -> bool:
        return self.has_totp or self.passkeys > 0


async def factors_of(reads: ReadPool, caller: Caller) -> Factors:
    """The caller's own, in one statement.

    Raises:
        Unauthenticated: `session_ended`.
    """
    row = await reads.fetch_one(
        _OF_CALLER, {"viewer_id": caller.user_id, "session_id": caller.session_id}
    )
    if row is None:
        raise session_ended()
    return Factors(*row)


async def second_factor_methods(session: AsyncSession, user_id: str) -> tuple[Factor, ...]:
    """What this user may answer a second-factor challenge with; empty: they have none.

    Recovery codes stand in for another factor; by themselves they are none.
    """
    row = (
        await session.execute(
            select(
                select(TotpSecret.user_id)
                .where(TotpSecret.user_id == user_id, TotpSecret.confirmed_at.is_not(None))
                .exists(),
                select(Passkey.id).where(Passkey.user_id == user_id).exists(),
                select(RecoveryCode.user_id)
                .where(RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None))
                .exists(),
            )
        )
    ).one()
    has_totp, has_passkey, has_codes = row
    if not (has_totp or has_passkey):
        return ()
    named = (
        (Factor.TOTP, has_totp),
        (Factor.PASSKEY, has_passkey),
        (Factor.RECOVERY_CODE, has_codes),
    )
    return tuple(name for name, has in named if has)


async def begin_second_factor(session: AsyncSession, *, user_id: str, now: datetime) -> str:
    """Note that the password was right; returns the challenge's id. A passkey may sign it."""
    opened = await open_challenge(
        session, kind=ChallengeKind.SECOND_FACTOR, user_id=user_id, now=now
    )
    return opened.id


async def drop_factors(session: AsyncSession, user_id: str) -> list[Factor]:
    """Take all second factors away; returns which there were. Lock the account first."""
    had = await second_factor_methods(session, user_id)
    await session.execute(delete(TotpSecret).where(TotpSecret.user_id == user_id))
    await session.execute(delete(Passkey).where(Passkey.user_id == user_id))
    await forget_factors(session, user_id)
    return list(had)


async def forget_factors(session: AsyncSession, user_id: str) -> None:
    """After the last factor went: nothing is left for recovery codes to stand in for, and no
    session counts any more as proved by two."""
    await drop_recovery_codes(session, user_id=user_id)
    await session.execute(
        update(AuthSession).where(AuthSession.user_id == user_id).values(second_factor_at=None)
    )
