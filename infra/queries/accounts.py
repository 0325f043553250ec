"""Accounts and rights, as far as the small commands of whoever runs the platform need them.

Every function runs inside the caller's transaction and writes its audit entry there.
"""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from domain.access import GrantSource
from domain.accounts import Role, check_handle
from domain.auth import MailKind
from domain.errors import Conflict, NotFound
from infra.ids import new_id
from infra.models import AuditEntry, Creator, Entitlement, Mail, Media, Post, User
from infra.queries import audit
from infra.queries.users.editing import handle_taken


def create_user(
    session: Session, *, handle: str, role: Role, display_name: str | None, operator: str
) -> str:
    """A new account, with its creator row where the role is `creator`; returns its id.

    Raises:
        Invalid: `handle_invalid` or `handle_reserved`.
        Conflict: `handle_taken`.
    """
    check_handle(handle)
    user_id = new_id()
    session.add(User(id=user_id, handle=handle, role=role, display_name=display_name or handle))
    try:
        session.flush()
    except IntegrityError as error:
        raise handle_taken(handle) from error
    if role is Role.CREATOR:
        session.add(Creator(user_id=user_id))
    _note(session, operator, "user.created", "user", user_id, handle=handle, role=role.value)
    return user_id


def invite(
    session: Session,
    user_id: str,
    *,
    email: str | None,
    now: datetime,
    expires_at: datetime,
    operator: str,
) -> str:
    """A mail by which somebody sets the password of an account that was made for them.

    Args:
        email: where the account has none yet. The operator vouches that it is theirs.

    Returns:
        The mail's id; it is sent once the transaction is committed.

    Raises:
        Conflict: `email_missing`, `email_differs` or `email_taken`.
    """
    user = session.get_one(User, user_id, with_for_update=True)
    if user.email is None and email is None:
        raise Conflict("The account has no address: give one.", code="email_missing")
    if user.email is not None and email is not None and user.email.lower() != email.lower():
        raise Conflict("The account has another address.", code="email_differs")
    address = user.email or email
    assert address is not None
    user.email, user.email_verified_at = address, user.email_verified_at or now
    try:
        session.flush()
    except IntegrityError as error:
        raise Conflict("The address belongs to another account.", code="email_taken") from error
    mail = Mail(
        id=new_id(),
        user_id=user_id,
        kind=MailKind.RESET_PASSWORD.value,
        address=address,
        facts={"invitation": True},
        expires_at=expires_at,
    )
    session.add(mail)
    _note(session, operator, "user.invited", "user", user_id)
    return mail.id


def find_user(session: Session, name: str) -> str:
    """The id of the account with this handle or id.

    Raises:
        NotFound: `user_not_found`.
    """
    key = User.id == name if _is_uuid(name) else User.handle == name
    user_id = session.scalar(select(User.id).where(key, User.deleted_at.is_(None)))
    if user_id is None:
        raise NotFound(f"There is no user {name}.", code="user_not_found", user=name)
    return user_id


def grant_gift(
    session: Session,
    *,
    fan_id: str,
    creator_id: str,
    media_id: str | None = None,
    post_id: str | None = None,
    expires_at: datetime | None = None,
    operator: str,
) -> str:
    """A right on one media, on one post, or on all that every tier of a creator opens; returns
    the entitlement's id.

    Raises:
        NotFound: the media or the post is not this creator's.
    """
    if post_id is not None:
        author_id = session.scalar(select(Post.creator_id).where(Post.id == post_id))
        if author_id != creator_id:
            raise NotFound("The creator has no such post.", code="post_not_found")
    if media_id is not None:
        owner_id = session.scalar(select(Media.owner_id).where(Media.id == media_id))
        if owner_id != creator_id:
            raise NotFound("The creator has no such media.", code="media_not_found")
    entitlement_id = new_id()
    session.add(
        Entitlement(
            id=entitlement_id,
            fan_id=fan_id,
            creator_id=creator_id,
            media_id=media_id,
            post_id=post_id,
            source=GrantSource.GIFT,
            expires_at=expires_at,
        )
    )
    _note(
        session,
        operator,
        "entitlement.granted",
        "entitlement",
        entitlement_id,
        fan_id=fan_id,
        creator_id=creator_id,
        media_id=media_id or "",
        post_id=post_id or "",
    )
    return entitlement_id


def revoke_rights(
    session: Session, *, fan_id: str, creator_id: str, now: datetime, operator: str
) -> int:
    """End every live right of a fan on a creator; returns how many there were."""
    ended = session.scalars(
        update(Entitlement)
        .where(
            Entitlement.fan_id == fan_id,
            Entitlement.creator_id == creator_id,
            Entitlement.revoked_at.is_(None),
        )
        .values(revoked_at=now)
        .returning(Entitlement.id)
    ).all()
    for entitlement_id in ended:
        _note(session, operator, "entitlement.revoked", "entitlement", entitlement_id)
    return len(ended)


def note_minted(session: Session, user_id: str, *, ttl_seconds: int, operator: str) -> None:
    """Write down that an operator got a token by which they act as this user."""
    _note(session, operator, "token.minted", "user", user_id, ttl_seconds=str(ttl_seconds))


def _note(
    session: Session, operator: str, action: str, kind: str, subject_id: str, **detail: str
) -> None:
    entry = AuditEntry(
        actor_name=operator,
        action=action,
        subject_type=kind,
        subject_id=subject_id,
        detail=detail,
    )
    audit.record(session, entry)


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
