"""Second factors: which ones somebody has, and the step between password and factor."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.auth import ChallengeKind
from infra.ids import new_id
from infra.models import AuthChallenge, Passkey, RecoveryCode, TotpSecret

CHALLENGE_TTL = timedelta(minutes=5)
_CHALLENGE_BYTES = 32


async def second_factor_methods(session: AsyncSession, user_id: str) -> tuple[str, ...]:
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
    named = (("totp", has_totp), ("passkey", has_passkey), ("recovery_code", has_codes))
    return tuple(name for name, has in named if has)


async def begin_second_factor(session: AsyncSession, *, user_id: str, now: datetime) -> str:
    """Note that the password was right; returns the challenge's id.

    Its `challenge` is 32 random bytes, which a passkey may sign.
    """
    challenge = AuthChallenge(
        id=new_id(),
        kind=ChallengeKind.SECOND_FACTOR,
        user_id=user_id,
        challenge=secrets.token_bytes(_CHALLENGE_BYTES),
        created_at=now,
        expires_at=now + CHALLENGE_TTL,
    )
    session.add(challenge)
    await session.flush()
    return challenge.id
