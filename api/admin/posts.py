"""Posts for staff: take one down, and show it again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import UUID

from fastapi import APIRouter, BackgroundTasks

from api import API_PREFIX
from api.admin import schemas
from api.admin.desk import Desk, StaffDesk
from api.auth.mailing import begin_mail
from api.problems import PROBLEMS
from domain.posts import PostState
from infra.db import async_transaction
from infra.queries.admin.posts import PostAct, open_post_act, restore, take_down

router = APIRouter(
    prefix=f"{API_PREFIX}/admin/posts/{{post_id}}", tags=["admin"], responses=PROBLEMS
)


@router.post("/take-down", operation_id="takeDownPost")
async def post_take_down(
    post_id: UUID, why: schemas.PostVerdict, desk: StaffDesk, background: BackgroundTasks
) -> schemas.ModeratedPostBody:
    """Hide a published post from everybody but its author, who is told why. For moderators.

    Its media are hidden with it, but where another post shows them, and can't be put into a new
    one. Repeating it is safe; the first reason stands.
    """
    return await _act(desk, background, post_id, why.reason, take_down)


@router.post("/restore", operation_id="restorePost")
async def post_restore(
    post_id: UUID, why: schemas.PostVerdict, desk: StaffDesk, background: BackgroundTasks
) -> schemas.ModeratedPostBody:
    """Show a post that was taken down again, where it stood, and tell its author. For moderators.

    Repeating it is safe.
    """
    return await _act(desk, background, post_id, why.reason, restore)


async def _act(
    desk: Desk,
    background: BackgroundTasks,
    post_id: UUID,
    reason: str,
    do: Callable[[PostAct], Awaitable[str | None]],
) -> schemas.ModeratedPostBody:
    async with async_transaction(desk.parts.engine) as session:
        act = await open_post_act(
            session,
            desk.caller,
            post_id=str(post_id),
            reason=reason,
            request_id=desk.request_id,
            now=desk.parts.now(),
        )
        mail_id = await do(act)
    if mail_id is not None:
        background.add_task(begin_mail, desk.parts, mail_id)
    return schemas.ModeratedPostBody(
        id=act.post.id,
        creator_id=act.post.creator_id,
        state=PostState(act.post.state),
        taken_down_at=act.post.taken_down_at,
        taken_down_reason=act.post.taken_down_reason,
    )
