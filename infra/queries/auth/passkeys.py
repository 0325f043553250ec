"""Rows of passkeys, and what an assertion proves by them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.access import Caller
from domain.errors import Conflict, NotFound, QuotaExceeded
from domain.factors import PASSKEYS_MAX, counter_went_back
from infra.ids import new_id
from infra.models import Passkey, User
from infra.queries.access.gathering import VIEWER
from infra.queries.callers import session_ended
from infra.reads import ReadPool
from infra.webauthn import Asserted, NewCredential, PasskeyRefused, RelyingParty

_LIST = f"""
WITH {VIEWER}
SELECT p.id::text, p.name, p.transports, p.backed_up, p.created_at, p.last_used_at
FROM viewer v LEFT JOIN passkeys p ON p.user_id = v.id
ORDER BY p.id
""".encode()


@dataclass(frozen=True, slots=True)
class ListedPasskey:
    id: str
    name: str
    transports: list[str]
    backed_up: bool
    created_at: datetime
    last_used_at: datetime | None


async def list_passkeys(reads: ReadPool, caller: Caller) -> list[ListedPasskey]:
    """The caller's own, oldest first.

    Raises:
        Unauthenticated: `session_ended`.
    """
    rows = await reads.fetch_all(
        _LIST, {"viewer_id": caller.user_id, "session_id": caller.session_id}
    )
    if not rows:
        raise session_ended()
    return [ListedPasskey(*row) for row in rows if row[0] is not None]


class PasskeyCopied(PasskeyRefused):
    """A right signature whose counter went back: two devices hold this key."""

    def __init__(self, passkey: Passkey) -> None:
        super().__init__("the counter went back")
        self.passkey = passkey


async def passkeys_of(session: AsyncSession, user_id: str) -> Sequence[Passkey]:
    """Oldest first; there are never more than `PASSKEYS_MAX`."""
    wanted = select(Passkey).where(Passkey.user_id == user_id).order_by(Passkey.id)
    return (await session.scalars(wanted)).all()


async def add_passkey(
    session: AsyncSession,
    *,
    user_id: str,
    name: str,
    credential: NewCredential,
    transports: Sequence[str],
    now: datetime,
) -> Passkey:
    """Lock the user first: the number of keys is counted here.

    Raises:
        QuotaExceeded: `too_many_passkeys`.
        Conflict: `passkey_known`: this or another account has it already.
    """
    owned = (
        await session.execute(select(func.count()).where(Passkey.user_id == user_id))
    ).scalar_one()
    if owned >= PASSKEYS_MAX:
        raise QuotaExceeded(
            f"An account may have up to {PASSKEYS_MAX} passkeys.",
            code="too_many_passkeys",
            limit=PASSKEYS_MAX,
        )
    passkey: Passkey | None = await session.scalar(
        insert(Passkey)
        .values(
            id=new_id(),
            user_id=user_id,
            credential_id=credential.credential_id,
            public_key=credential.public_key,
            sign_count=credential.sign_count,
            backed_up=credential.backed_up,
            name=name,
            transports=list(transports),
            created_at=now,
        )
        .on_conflict_do_nothing(index_elements=[Passkey.credential_id])
        .returning(Passkey)
    )
    if passkey is None:
        raise Conflict("This passkey is registered already.", code="passkey_known")
    return passkey


async def own_passkey(session: AsyncSession, *, user_id: str, passkey_id: str) -> Passkey:
    """
    Raises:
        NotFound: `passkey_not_found`.
    """
    passkey: Passkey | None = await session.scalar(
        select(Passkey).where(Passkey.id == passkey_id, Passkey.user_id == user_id)
    )
    if passkey is None:
        raise NotFound("There is no such passkey.", code="passkey_not_found")
    return passkey


async def remove_passkey(session: AsyncSession, *, user: User, passkey_id: str) -> Passkey:
    """Lock the user first, so that two requests can't remove the last two.

    Raises:
        NotFound: `passkey_not_found`.
        Conflict: `last_way_in`: without it nothing would be left to sign in with.
    """
    passkey = await own_passkey(session, user_id=user.id, passkey_id=passkey_id)
    if user.password_hash is None and len(await passkeys_of(session, user.id)) == 1:
        raise Conflict(
            "This is the only way into the account. Set a password or add another passkey first.",
            code="last_way_in",
        )
    await session.execute(delete(Passkey).where(Passkey.id == passkey.id))
    return passkey


async def hold_owner(session: AsyncSession, credential_id: bytes) -> None:
    """Hold the account that this passkey belongs to, if any, before the passkey itself: who shuts
    an account or takes its factors away takes both in this order."""
    await session.execute(
        select(User.id)
        .join(Passkey, Passkey.user_id == User.id)
        .where(Passkey.credential_id == credential_id)
        .with_for_update(of=User, read=True, key_share=True)
    )


async def check_passkey(
    session: AsyncSession,
    relying_party: RelyingParty,
    answer: Asserted,
    *,
    challenge: bytes,
    now: datetime,
    user_id: str | None,
    user_verification: bool,
) -> Passkey:
    """The passkey that signed this challenge, with its counter moved on.

    The row is locked, so that one counter can't be used twice at the same time.

    Args:
        user_id: whose it must be; None where the passkey itself says who signs in. Then it
            must say so by its user handle, too (WebAuthn §7.2 step 6).

    Raises:
        PasskeyCopied: all was right but the counter.
        PasskeyRefused: it proves nothing.
    """
    passkey: Passkey | None = await session.scalar(
        select(Passkey)
        .where(Passkey.credential_id == answer.credential_id)
        .with_for_update(key_share=True)
    )
    if passkey is None:
        raise PasskeyRefused("nobody has this passkey")
    if user_id is not None and passkey.user_id != user_id:
        raise PasskeyRefused("it is somebody else's passkey")
    must_name = user_id is None
    if (must_name or answer.user_handle) and answer.user_handle != user_handle(passkey.user_id):
        raise PasskeyRefused("it names another user")
    assertion = relying_party.check_assertion(
        answer,
        challenge=challenge,
        public_key=passkey.public_key,
        user_verification=user_verification,
    )
    if counter_went_back(stored=passkey.sign_count, reported=assertion.sign_count):
        raise PasskeyCopied(passkey)
    passkey.sign_count, passkey.backed_up = assertion.sign_count, assertion.backed_up
    passkey.last_used_at = now
    return passkey


def user_handle(user_id: str) -> bytes:
    """What an authenticator knows a user by: the bytes of their id, which tell nothing."""
    return bytes.fromhex(user_id.replace("-", ""))
