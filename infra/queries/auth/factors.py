"""Second factors: which ones somebody has, and the step between password and factor."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.auth import ChallengeKind
from domain.factors import Factor
from infra.models import AuthSession, Passkey, RecoveryCode, TotpSecret
from infra.queries.auth.challenges import open_challenge
from infra.queries.auth.totp import drop_recovery_codes


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


async def forget_factors(session: AsyncSession, user_id: str) -> None:
    """After the last factor went: nothing is left for recovery codes to stand in for, and no
    session counts any more as proved by two."""
    await drop_recovery_codes(session, user_id=user_id)
    await session.execute(
        update(AuthSession).where(AuthSession.user_id == user_id).values(second_factor_at=None)
    )
