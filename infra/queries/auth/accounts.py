"""Accounts as signing in sees them: who is meant, whether an address is theirs, passwords."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, delete, insert, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from domain.auth import MailKind, own_words
from domain.errors import Gone
from domain.mails import link_invalid, read_mail_token
from infra.ids import new_id
from infra.models import Mail, User
from infra.queries.auth.challenges import void_challenges
from infra.queries.auth.mails import void_mail_tokens
from infra.queries.users.editing import handle_taken
from infra.reads import ReadPool

_BY_NAME = b"""
SELECT u.id::text, u.password_hash FROM users u
WHERE u.deleted_at IS NULL AND CASE WHEN strpos(%(name)s, '@') > 0
    THEN u.email = %(name)s::citext ELSE u.handle = lower(%(name)s) END
ORDER BY u.email_verified_at IS NULL, u.created_at DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Credential:
    """Whose password is to be verified, and its hash as it stood then."""

    user_id: str
    password_hash: str | None


async def credential_of(reads: ReadPool, name: str) -> Credential | None:
    """Whom a handle or an address means; of an address, the account that has verified it."""
    row = await reads.fetch_one(_BY_NAME, {"name": name})
    return None if row is None else Credential(*row)


async def register(
    session: AsyncSession,
    *,
    handle: str,
    email: str,
    display_name: str,
    password_hash: str,
    now: datetime,
) -> tuple[User, User | None]:
    """A new account that has yet to show that its address is its own.

    Returns:
        It, and the account that has shown that already. The handle is given away in either
        case: whoever asks for it again must not learn from it whether the address is known.

    Raises:
        Conflict: `handle_taken`.
    """
    try:
        user_id = await session.scalar(
            insert(User)
            .values(
                id=new_id(),
                handle=handle,
                email=email,
                display_name=display_name,
                password_hash=password_hash,
                password_changed_at=now,
                created_at=now,
                updated_at=now,
            )
            .returning(User.id)
        )
    except IntegrityError as error:
        # Somebody has it, or (which a trigger tells in the same way) has given it up.
        raise handle_taken(handle) from error
    assert user_id is not None, "a row that was inserted is returned"
    known = await session.scalar(_verified(email))
    return await session.get_one(User, user_id), known


async def verified_account(session: AsyncSession, email: str) -> User | None:
    """The account that this address belongs to."""
    user: User | None = await session.scalar(_verified(email))
    return user


async def newest_unverified(session: AsyncSession, email: str) -> User | None:
    """Of the accounts that name an address which belongs to nobody yet; its row is held, so that
    it isn't removed before what the caller writes of it."""
    if await verified_account(session, email) is not None:
        return None
    user: User | None = await session.scalar(
        select(User)
        .where(User.email == email, User.deleted_at.is_(None), User.email_verified_at.is_(None))
        .order_by(User.created_at.desc(), User.id.desc())
        .limit(1)
        .with_for_update(read=True, key_share=True)
    )
    return user


async def lock_claimants(session: AsyncSession, token: str, *, key: bytes) -> list[User]:
    """All accounts that name the address of a verification mail, locked in the order of their
    ids: of several that verify it at once, one comes first and the others find it gone.

    Raises:
        Invalid: `link_invalid`.
    """
    mail_id = read_mail_token(token, kind=MailKind.VERIFY_EMAIL, key=key)
    address = await session.scalar(select(Mail.address).where(Mail.id == mail_id))
    if address is None:
        raise link_invalid()
    users = await session.scalars(
        select(User)
        .where(User.email == address, User.deleted_at.is_(None))
        .order_by(User.id)
        .with_for_update()
    )
    return list(users)


async def lock_mover(session: AsyncSession, token: str, *, key: bytes) -> tuple[User, list[User]]:
    """The account that a link to a new address was mailed for, and those that name this address
    without having shown that it is theirs; all locked in the order of their ids.

    Raises:
        Invalid: `link_invalid`.
        Gone: `link_used`; the address is somebody's by now.
    """
    mail_id = read_mail_token(token, kind=MailKind.CHANGE_EMAIL, key=key)
    mail: Mail | None = await session.scalar(select(Mail).where(Mail.id == mail_id))
    if mail is None:
        raise link_invalid()
    users = list(
        await session.scalars(
            select(User)
            .where(or_(User.id == mail.user_id, User.email == mail.address))
            .where(User.deleted_at.is_(None))
            .order_by(User.id)
            .with_for_update()
        )
    )
    others = [user for user in users if user.id != mail.user_id]
    if len(others) == len(users):
        raise link_invalid()
    if any(user.email_verified_at is not None for user in others):
        raise _address_gone()
    [moved] = [user for user in users if user.id == mail.user_id]
    return moved, others


async def move_to_address(
    session: AsyncSession, user: User, address: str, *, others: list[User], now: datetime
) -> None:
    """Give the account this address, which it has shown to be its own.

    Args:
        others: that only name it; they are removed.

    Raises:
        Gone: `link_used`; somebody else was given it at the same time.
    """
    await remove_unverified(session, others)
    user.email, user.email_verified_at, user.updated_at = address, now, now
    try:
        await session.flush()
    except IntegrityError as error:
        raise _address_gone() from error


def _address_gone() -> Gone:
    return Gone("This address belongs to another account by now.", code="link_used")


async def remove_unverified(session: AsyncSession, users: list[User]) -> None:
    """Accounts that nobody could ever sign in to: they own nothing but mails."""
    ids = [user.id for user in users]
    await session.execute(delete(Mail).where(Mail.user_id.in_(ids)))
    await session.execute(delete(User).where(User.id.in_(ids)))


async def was_mailed_lately(
    session: AsyncSession, user_id: str, kind: MailKind, *, now: datetime, within: timedelta
) -> bool:
    found = select(Mail.id).where(
        Mail.user_id == user_id, Mail.kind == kind, Mail.created_at > now - within
    )
    return bool(await session.scalar(select(found.exists())))


def words_of(user: User) -> tuple[str, ...]:
    return own_words(handle=user.handle, email=user.email, display_name=user.display_name)


def _verified(email: str) -> Select[User]:
    return select(User).where(
        User.email == email, User.email_verified_at.is_not(None), User.deleted_at.is_(None)
    )


async def lock_unchanged(session: AsyncSession, credential: Credential) -> User | None:
    """The account whose password was verified, locked; None where it has another by now."""
    user = await session.get(User, credential.user_id, with_for_update=True)
    if user is None or user.deleted_at or user.password_hash != credential.password_hash:
        return None
    return user


async def set_password(
    session: AsyncSession, user: User, password_hash: str, *, now: datetime
) -> None:
    """Also voids every link to set a new one that was mailed before, and every sign-in by the
    old one that waits for its second factor. Lock the account first."""
    user.password_hash, user.password_changed_at = password_hash, now
    await void_challenges(session, user.id, now=now)
    await void_mail_tokens(session, user.id, MailKind.RESET_PASSWORD, now=now)


async def owner_of_link(session: AsyncSession, token: str, *, key: bytes) -> User:
    """The account that a link to set a new password was mailed to, locked.

    Raises:
        Invalid: `link_invalid`.
    """
    mail_id = read_mail_token(token, kind=MailKind.RESET_PASSWORD, key=key)
    user: User | None = await session.scalar(
        select(User)
        .join(Mail, Mail.user_id == User.id)
        .where(Mail.id == mail_id, User.deleted_at.is_(None))
        .with_for_update(of=User)
    )
    if user is None:
        raise link_invalid()
    return user
