"""Accounts for staff: find them, look at them, suspend them, change their role."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, BackgroundTasks, Query

from api import API_PREFIX
from api.admin import schemas
from api.admin.desk import AdminDesk, Desk, StaffDesk
from api.auth.mailing import begin_mail
from api.problems import PROBLEMS
from api.subscriptions.banning import end_for_ban
from domain.paging import Keyset, cursor_for, keyset_from
from infra.queries.admin import acts
from infra.queries.admin.users import StaffView, find_detail, search_users

router = APIRouter(prefix=f"{API_PREFIX}/admin/users", tags=["admin"], responses=PROBLEMS)


@router.get("", operation_id="searchUsers")
async def search(query: Annotated[schemas.UserQuery, Query()], desk: StaffDesk) -> schemas.UserPage:
    """Accounts, newest first: by what a handle begins with, by address, role and standing.

    Audited as `user.searched`, with which conditions were given; addresses are not written down.
    """
    users, has_more = await search_users(
        desk.parts.reads,
        handle_prefix=query.handle,
        email=query.email,
        role=query.role,
        standing=query.standing,
        limit=query.limit,
        after=keyset_from(query.cursor) if query.cursor is not None else None,
    )
    by = [name for name in ("handle", "email", "role", "standing") if getattr(query, name)]
    await desk.note_look("user.searched", subject_type="user", by=by)
    last = users[-1] if has_more else None
    return schemas.UserPage(
        data=[schemas.UserBody(**_fields(user)) for user in users],
        next_cursor=cursor_for(Keyset(last.created_at, last.id)) if last else None,
        has_more=has_more,
    )


@router.get("/{user_id}", operation_id="inspectUser")
async def inspect(user_id: UUID, desk: StaffDesk) -> schemas.UserDetailBody:
    """One account, whatever became of it. Audited as `user.viewed`."""
    answer = await _detail(desk, user_id)
    await desk.note_look("user.viewed", subject_type="user", subject_id=answer.id)
    return answer


@router.put("/{user_id}/role", operation_id="changeRole")
async def change_role(
    user_id: UUID, change: schemas.RoleChange, desk: AdminDesk
) -> schemas.UserDetailBody:
    """Give an account another role. For admins with a fresh proof, and never on oneself.

    It counts from the next request on. Whoever becomes staff needs a second factor to act as
    such; whoever is staff no longer stays signed in, with less.
    """
    async with desk.act_on(str(user_id), reason=change.reason) as act:
        await acts.change_role(act, change.role)
    return await _detail(desk, user_id)


@router.post("/{user_id}/suspend", operation_id="suspendUser")
async def suspend(
    user_id: UUID, why: schemas.StaffAct, background: BackgroundTasks, desk: StaffDesk
) -> schemas.UserDetailBody:
    """Shut an account: it can't sign in, is shown nowhere, and all its sessions end at once.

    Subscriptions of theirs and to them end within seconds.

    Moderators may do that to fans and creators, admins to everybody but themselves. Its owner
    gets the reason by mail.
    """
    async with desk.act_on(str(user_id), reason=why.reason) as act:
        mail_id = await acts.suspend(act)
    background.add_task(end_for_ban, desk.parts, str(user_id))
    return await _concluded(desk, user_id, mail_id, background)


@router.post("/{user_id}/reinstate", operation_id="reinstateUser")
async def reinstate(
    user_id: UUID, why: schemas.StaffAct, background: BackgroundTasks, desk: StaffDesk
) -> schemas.UserDetailBody:
    """Open a suspended account again, under the same rules. Its owner gets the reason by mail,
    and signs in anew."""
    async with desk.act_on(str(user_id), reason=why.reason) as act:
        mail_id = await acts.reinstate(act)
    return await _concluded(desk, user_id, mail_id, background)


@router.post("/{user_id}/reset-factors", operation_id="resetFactors")
async def reset_factors(
    user_id: UUID, why: schemas.StaffAct, background: BackgroundTasks, desk: AdminDesk
) -> schemas.UserDetailBody:
    """Take away all second factors of somebody who has lost them, and end their sessions.

    For admins with a fresh proof, and never on oneself. Its owner is told by mail. Make sure by
    another way who asks: from now on the password alone signs in.
    """
    async with desk.act_on(str(user_id), reason=why.reason) as act:
        mail_id = await acts.reset_factors(act)
    return await _concluded(desk, user_id, mail_id, background)


async def _concluded(
    desk: Desk, user_id: UUID, mail_id: str | None, background: BackgroundTasks
) -> schemas.UserDetailBody:
    """The account as it is after an act of which its owner is told."""
    if mail_id is not None:
        background.add_task(begin_mail, desk.parts, mail_id)
    return await _detail(desk, user_id)


async def _detail(desk: Desk, user_id: UUID) -> schemas.UserDetailBody:
    detail = await find_detail(desk.parts.reads, str(user_id), now=desk.parts.now())
    return schemas.UserDetailBody(
        **_fields(detail.user),
        has_password=detail.has_password,
        has_totp=detail.has_totp,
        passkeys=detail.passkeys,
        live_sessions=detail.live_sessions,
    )


def _fields(user: StaffView) -> dict[str, Any]:
    return {**asdict(user), "standing": user.standing}
