"""What staff do to posts. Each act, its audit entry and its mail are one transaction of the
caller's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.access import Caller
from domain.auth import MailKind
from domain.errors import AccessDenied, Conflict
from domain.posts import PostState
from infra.models import AuditEntry, Post, User
from infra.queries import audit
from infra.queries.access.posts import no_such_post
from infra.queries.auth.mails import write_mail
from infra.queries.callers import load_caller
from infra.queries.posts.writing import touch


@dataclass(frozen=True, slots=True)
class PostAct:
    """What somebody of the staff is about to do to a post, whose row is locked."""

    session: AsyncSession
    actor: User
    post: Post
    reason: str
    request_id: str | None
    now: datetime


async def open_post_act(
    session: AsyncSession,
    caller: Caller,
    *,
    post_id: str,
    reason: str,
    request_id: str | None,
    now: datetime,
) -> PostAct:
    """
    Raises:
        Unauthenticated: `session_ended`.
        NotFound: `post_not_found`.
        AccessDenied: `not_on_yourself`.
    """
    actor = await load_caller(session, caller)
    post = await session.get(Post, post_id, with_for_update=True)
    if post is None or post.state == PostState.DELETED:
        raise no_such_post(post_id)
    if post.creator_id == actor.id:
        raise AccessDenied("Not on your own post.", code="not_on_yourself")
    return PostAct(session, actor, post, reason, request_id, now)


async def take_down(act: PostAct) -> str | None:
    """Hide a published post from everybody but its author and staff. One that is hidden already
    stays as it is, and so does the reason.

    Returns:
        The id of the mail that tells its author, for `begin_mail`; None where there is none.

    Raises:
        Conflict: `not_published`.
    """
    post = act.post
    if post.state == PostState.TAKEN_DOWN:
        return None
    _require(post, PostState.PUBLISHED)
    post.state, post.pinned_at = PostState.TAKEN_DOWN, None
    post.taken_down_at, post.taken_down_reason = act.now, act.reason
    return await _conclude(act, "post.taken_down")


async def restore(act: PostAct) -> str | None:
    """Show a post again, where it stood; not pinned. One that is shown stays as it is.

    Returns: as `take_down`.

    Raises:
        Conflict: `not_taken_down`.
    """
    post = act.post
    if post.state == PostState.PUBLISHED:
        return None
    _require(post, PostState.TAKEN_DOWN)
    post.state = PostState.PUBLISHED
    post.taken_down_at = post.taken_down_reason = None
    return await _conclude(act, "post.restored")


def _require(post: Post, state: PostState) -> None:
    if post.state != state:
        said = state.value.replace("_", " ")
        raise Conflict(f"It is not {said}.", code=f"not_{state}", state=post.state)


async def _conclude(act: PostAct, action: str) -> str | None:
    """Count the change, write it down, and write to the author."""
    post, session = act.post, act.session
    touch(post, act.now)
    entry = AuditEntry(
        actor_id=act.actor.id,
        actor_name=act.actor.handle,
        action=action,
        subject_type="post",
        subject_id=post.id,
        request_id=act.request_id,
        detail={"reason": act.reason, "owner_id": post.creator_id},
    )
    await session.run_sync(audit.record, entry)
    author = await session.get_one(User, post.creator_id)
    if author.email is None or author.email_verified_at is None or author.deleted_at is not None:
        return None
    mail = await write_mail(
        session,
        user_id=author.id,
        kind=MailKind.POST_MODERATED,
        address=author.email,
        facts={"state": post.state, "post_id": post.id, "reason": act.reason},
    )
    return mail.id
