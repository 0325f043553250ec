"""Secrets of authenticator apps, and recovery codes."""

from __future__ import annotations

import os
from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import Conflict, Invalid, NotFound
from domain.factors import (
    RECOVERY_CODE_BYTES,
    RECOVERY_CODES,
    recovery_code_from,
    recovery_code_hash,
)
from infra.keyring import KeyRing
from infra.models import RecoveryCode, TotpSecret
from infra.totp import new_secret, step_of


async def begin_totp(session: AsyncSession, *, user_id: str, keys: KeyRing, now: datetime) -> bytes:
    """A new secret, which counts once a code confirms it. Replaces one that none ever did.

    Raises:
        Conflict: `totp_already_set_up`.
    """
    row = await _lock_secret(session, user_id)
    if row is not None and row.confirmed_at is not None:
        raise Conflict("Codes are set up already. Remove them first.", code="totp_already_set_up")
    secret = new_secret()
    key_id, wrapped = keys.wrap(secret)
    if row is None:
        row = TotpSecret(user_id=user_id)
        session.add(row)
    row.key_id, row.secret_wrapped, row.created_at, row.last_step = key_id, wrapped, now, None
    await session.flush()
    return secret


async def confirm_totp(
    session: AsyncSession, *, user_id: str, code: str, keys: KeyRing, now: datetime
) -> None:
    """Let the secret count, since its holder's app makes the right codes.

    Raises:
        Conflict: `totp_not_begun` or `totp_already_set_up`.
        Invalid: `code_wrong`.
    """
    row = await _lock_secret(session, user_id)
    if row is None:
        raise Conflict("Ask for a secret first: `POST /auth/totp`.", code="totp_not_begun")
    if row.confirmed_at is not None:
        raise Conflict("Codes are set up already.", code="totp_already_set_up")
    secret = keys.unwrap(row.key_id, row.secret_wrapped)
    step = step_of(secret, code, now=now, after=None)
    if step is None:
        raise Invalid(
            "This is not the code of now. Is the clock of the device right?", code="code_wrong"
        )
    row.confirmed_at, row.last_step = now, step


async def take_code(
    session: AsyncSession, *, user_id: str, code: str, keys: KeyRing, now: datetime
) -> bool:
    """Is this a code of now that was not taken before? Then it is taken."""
    row = await _lock_secret(session, user_id)
    if row is None or row.confirmed_at is None:
        return False
    secret = keys.unwrap(row.key_id, row.secret_wrapped)
    step = step_of(secret, code, now=now, after=row.last_step)
    if step is None:
        return False
    row.last_step = step
    if row.key_id != keys.current_id:
        # So that an old master key can be dropped when all who sign in have done so.
        row.key_id, row.secret_wrapped = keys.wrap(secret)
    return True


async def remove_totp(session: AsyncSession, *, user_id: str) -> None:
    """
    Raises:
        NotFound: `totp_not_set_up`.
    """
    removed = await session.scalar(
        delete(TotpSecret).where(TotpSecret.user_id == user_id).returning(TotpSecret.user_id)
    )
    if removed is None:
        raise NotFound("No codes are set up.", code="totp_not_set_up")


async def renew_recovery_codes(session: AsyncSession, *, user_id: str) -> list[str]:
    """New ones in place of all that there were. They are told now and never again."""
    codes = [recovery_code_from(os.urandom(RECOVERY_CODE_BYTES)) for _ in range(RECOVERY_CODES)]
    await drop_recovery_codes(session, user_id=user_id)
    session.add_all(
        RecoveryCode(user_id=user_id, code_hash=recovery_code_hash(code)) for code in codes
    )
    await session.flush()
    return codes


async def take_recovery_code(
    session: AsyncSession, *, user_id: str, code: str, now: datetime
) -> bool:
    """Is this one of the codes, and not used? Then it is used."""
    taken = await session.scalar(
        update(RecoveryCode)
        .where(
            RecoveryCode.user_id == user_id,
            RecoveryCode.code_hash == recovery_code_hash(code),
            RecoveryCode.used_at.is_(None),
        )
        .values(used_at=now)
        .returning(RecoveryCode.user_id)
    )
    return taken is not None


async def count_recovery_codes(session: AsyncSession, *, user_id: str) -> int:
    """Those that are not used."""
    unused = select(func.count()).where(
        RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None)
    )
    return (await session.execute(unused)).scalar_one()


async def drop_recovery_codes(session: AsyncSession, *, user_id: str) -> None:
    await session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))


async def _lock_secret(session: AsyncSession, user_id: str) -> TotpSecret | None:
    return await session.get(TotpSecret, user_id, with_for_update=True)
