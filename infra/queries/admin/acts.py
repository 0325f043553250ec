"""What staff do to accounts. Each act and its audit entry are one transaction of the caller's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.access import Caller
from domain.accounts import Role, may_suspend
from domain.auth import MailKind, SessionEnd
from domain.errors import AccessDenied
from domain.mails import SecurityEvent
from infra.models import AuditEntry, Creator, User
from infra.queries import audit
from infra.queries.admin.users import user_not_found
from infra.queries.auth.challenges import void_challenges
from infra.queries.auth.factors import drop_factors
from infra.queries.auth.mails import write_mail
from infra.queries.auth.sessions import revoke_all
from infra.queries.callers import CallerStanding, load_caller


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody of the staff is about to do to an account; both rows are locked."""

    session: AsyncSession
    actor: User
    target: User
    reason: str
    request_id: str | None
    now: datetime


async def open_act(
    session: AsyncSession,
    caller: Caller,
    *,
    target_id: str,
    reason: str,
    request_id: str | None,
    now: datetime,
) -> Act:
    """Locks in the order of ids: of two admins who take each other's role at once, the second
    finds that they have none any more.

    Raises:
        Unauthenticated: `session_ended`.
        NotFound: `user_not_found`.
        AccessDenied: `not_on_yourself`.
    """
    wanted = [each for each in (caller.user_id, target_id) if each is not None]
    users = await session.scalars(
        select(User).where(User.id.in_(wanted)).order_by(User.id).with_for_update()
    )
    found = {user.id: user for user in users}
    actor, target = await load_caller(session, caller), found.get(target_id)
    if target is None or target.deleted_at is not None:
        raise user_not_found()
    if target.id == actor.id:
        raise AccessDenied("Not on your own account.", code="not_on_yourself")
    return Act(session, actor, target, reason, request_id, now)


async def change_role(act: Act, role: Role) -> None:
    """Give an account another role. Sessions go on: what they may is decided at each request.

    Raises:
        AccessDenied: `admin_only`.
    """
    target = act.target
    if Role(act.actor.role) is not Role.ADMIN:
        raise AccessDenied("Only an admin can do that.", code="admin_only")
    if target.role == role:
        return
    before, target.role, target.updated_at = target.role, role.value, act.now
    if role is Role.CREATOR:
        await act.session.execute(
            insert(Creator).values(user_id=target.id).on_conflict_do_nothing()
        )
    await _note(act, "user.role_changed", before=before, after=role.value)


async def suspend(act: Act) -> str | None:
    """Shut an account and end all its sessions. One that is shut already stays as it is.

    Returns:
        The id of the mail that tells its owner, for when the transaction is committed; None
        where nothing was done, or they have no address.

    Raises:
        AccessDenied: `staff_only` or `admin_only`.
    """
    _require_may_suspend(act)
    target, now = act.target, act.now
    if target.suspended_at is not None:
        return None
    target.suspended_at = target.updated_at = now
    ended = await revoke_all(act.session, user_id=target.id, reason=SessionEnd.BY_STAFF, now=now)
    await _note(act, "user.suspended", sessions=ended)
    return await _tell_of_standing(act, "suspended")


async def reinstate(act: Act) -> str | None:
    """Open an account again. Its sessions stay ended.

    Returns:
        As `suspend` does.

    Raises:
        AccessDenied: `staff_only` or `admin_only`.
    """
    _require_may_suspend(act)
    if act.target.suspended_at is None:
        return None
    act.target.suspended_at, act.target.updated_at = None, act.now
    await _note(act, "user.reinstated")
    return await _tell_of_standing(act, "reinstated")


async def reset_factors(act: Act) -> str | None:
    """Take away all second factors of somebody who has lost them, and end their sessions.

    Returns:
        The id of the mail that tells them, for when the transaction is committed; None where
        they have no address.

    Raises:
        AccessDenied: `admin_only`.
    """
    target, now = act.target, act.now
    if Role(act.actor.role) is not Role.ADMIN:
        raise AccessDenied("Only an admin can do that.", code="admin_only")
    had = await drop_factors(act.session, target.id)
    await void_challenges(act.session, target.id, now=now)
    ended = await revoke_all(act.session, user_id=target.id, reason=SessionEnd.BY_STAFF, now=now)
    await _note(act, "user.factors_reset", factors=had, sessions=ended)
    return await _tell(act, MailKind.SECURITY_NOTICE, event=SecurityEvent.FACTORS_RESET)


async def note_look(
    session: AsyncSession,
    staff: CallerStanding,
    *,
    action: str,
    subject_type: str,
    subject_id: str,
    request_id: str | None,
    **detail: Any,
) -> None:
    """Write down what staff looked at."""
    entry = AuditEntry(
        actor_id=staff.user_id,
        actor_name=staff.handle,
        action=action,
        subject_type=subject_type,
        subject_id=subject_id,
        request_id=request_id,
        detail=detail,
    )
    await session.run_sync(audit.record, entry)


async def _tell_of_standing(act: Act, state: str) -> str | None:
    return await _tell(act, MailKind.ACCOUNT_MODERATED, state=state, reason=act.reason)


async def _tell(act: Act, kind: MailKind, **facts: str) -> str | None:
    """The id of a mail to the account's owner; None where they have shown no address to be
    theirs: whose it is would learn of somebody else's account."""
    target = act.target
    if target.email is None or target.email_verified_at is None:
        return None
    mail = await write_mail(
        act.session, user_id=target.id, kind=kind, address=target.email, facts=facts
    )
    return mail.id


async def _note(act: Act, action: str, **detail: Any) -> None:
    entry = AuditEntry(
        actor_id=act.actor.id,
        actor_name=act.actor.handle,
        action=action,
        subject_type="user",
        subject_id=act.target.id,
        request_id=act.request_id,
        detail={"reason": act.reason, **detail},
    )
    await act.session.run_sync(audit.record, entry)


def _require_may_suspend(act: Act) -> None:
    role = Role(act.actor.role)
    if not role.is_staff:
        raise AccessDenied("Only staff can do that.", code="staff_only")
    if not may_suspend(actor=role, target=Role(act.target.role)):
        raise AccessDenied("Only an admin can do that to staff.", code="admin_only")
