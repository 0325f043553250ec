"""Comments on a post, behind the same door as the post."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.access import Caller
from domain.errors import Conflict, NotFound
from domain.paging import Keyset
from domain.posts import PostState
from infra.ids import new_id
from infra.models import Comment, Post, User
from infra.queries.access.posts import JudgedPost, judge_post, no_such_post
from infra.queries.access.posts_sql import GIVEN_POST, judging_sql
from infra.queries.people import (
    PERSON,
    PERSON_WIDTH,
    SHOWN,
    Person,
    newest_first,
    person_from,
    since_params,
)
from infra.reads import ReadPool, Row


def _unblocked(blocker: str, blocked: str) -> str:
    """Looked up for each comment: somebody may have blocked, and be blocked by, thousands."""
    return f"""NOT EXISTS (
          SELECT FROM blocks b WHERE b.blocker_id = {blocker} AND b.blocked_id = {blocked}
          OFFSET 0  -- Keeps it a look-up.
      )"""


_COLUMNS = f"k.id::text, k.body, k.version, k.created_at, k.edited_at, {PERSON}"
COMMENTS_SQL = judging_sql(
    GIVEN_POST,
    columns=_COLUMNS,
    joins=f"""
LEFT JOIN LATERAL (
    SELECT k.* FROM comments k
    JOIN users u ON u.id = k.author_id AND {SHOWN}
    WHERE k.post_id = a.id AND k.deleted_at IS NULL
      AND {_unblocked("v.id", "k.author_id")} AND {_unblocked("k.author_id", "v.id")}
      AND {_unblocked("a.owner_id", "k.author_id")} AND {_unblocked("k.author_id", "a.owner_id")}
      AND {newest_first("k.created_at", "k.id")}
    ORDER BY k.created_at DESC, k.id DESC LIMIT %(limit)s
) k ON true
LEFT JOIN users u ON u.id = k.author_id""",
    order=", k.created_at DESC, k.id DESC",
)
_ONE = judging_sql(
    """chosen AS (
    SELECT 1 AS place, k.post_id AS id, NULL::uuid AS owner_id FROM comments k
    WHERE k.id = %(comment_id)s::uuid AND k.deleted_at IS NULL
)""",
    columns=_COLUMNS,
    joins="""
LEFT JOIN comments k ON k.id = %(comment_id)s::uuid
LEFT JOIN users u ON u.id = k.author_id""",
)


@dataclass(frozen=True, slots=True)
class CommentRecord:
    """A comment as it is shown."""

    id: str
    body: str
    version: int
    created_at: datetime
    edited_at: datetime | None
    author: Person


def _comment(columns: Row) -> CommentRecord:
    return CommentRecord(*[*columns[:-PERSON_WIDTH], person_from(columns[-PERSON_WIDTH:])])


async def list_comments(
    reads: ReadPool,
    *,
    caller: Caller,
    post_id: str,
    now: datetime,
    limit: int,
    after: Keyset | None,
) -> tuple[JudgedPost, list[CommentRecord], bool]:
    """The post, the next `limit` comments, newest first, and whether more follow.

    Comments of whom the viewer blocked, or was blocked by, are left out; and for everybody
    those of whom the post's author blocked, or was blocked by: they could neither see nor
    delete what others read below their post.

    Raises:
        NotFound: there is no such post, or the viewer may not know of it.
        PaymentRequired: it is locked.
        Unauthenticated: the account or the session is over.
    """
    params = {"post_id": post_id, **since_params(after, limit)}
    rows = await judge_post(reads, COMMENTS_SQL, caller=caller, now=now, params=params)
    if not rows or rows[0].decision.hidden:
        raise no_such_post(post_id)
    rows[0].require_allowed()
    found = [_comment(row.rest) for row in rows if row.rest[0] is not None]
    return rows[0], found[:limit], len(found) > limit


async def open_comment(
    reads: ReadPool, *, caller: Caller, comment_id: str, now: datetime
) -> tuple[JudgedPost, CommentRecord]:
    """A comment with its post, where the viewer wrote it or may read it.

    Raises:
        NotFound: there is none, or the viewer may not know of it.
        Unauthenticated: the account or the session is over.
    """
    rows = await judge_post(reads, _ONE, caller=caller, now=now, params={"comment_id": comment_id})
    if rows:
        comment = _comment(rows[0].rest)
        if rows[0].decision.allowed or comment.author.id == caller.user_id:
            return rows[0], comment
    raise no_such_comment(comment_id)


async def add_comment(
    session: AsyncSession, *, post_id: str, author: User, body: str, now: datetime
) -> Comment:
    """Write a comment and count it.

    Raises:
        Conflict: `comments_closed` or `not_published`.
    """
    counted = await session.execute(
        update(Post)
        .where(Post.id == post_id, Post.state == PostState.PUBLISHED, Post.comments_enabled)
        .values(comment_count=Post.comment_count + 1)
        .returning(Post.id)
    )
    if counted.first() is None:
        state = await session.scalar(select(Post.state).where(Post.id == post_id))
        if state == PostState.PUBLISHED:
            raise Conflict("Its author has closed the comments.", code="comments_closed")
        raise Conflict("It is not published.", code="not_published", state=state)
    comment = Comment(id=new_id(), post_id=post_id, author_id=author.id, body=body, created_at=now)
    session.add(comment)
    await session.flush()
    return comment


async def lock_comment(session: AsyncSession, comment_id: str) -> Comment:
    """The row, locked, as it stands now.

    Raises:
        NotFound: `comment_not_found`; it was deleted meanwhile.
    """
    comment = await session.get(Comment, comment_id, with_for_update=True)
    if comment is None or comment.deleted_at is not None:
        raise no_such_comment(comment_id)
    return comment


async def remove_comment(
    session: AsyncSession, comment: Comment, *, by: User, at: datetime
) -> None:
    """Hide a locked comment and count it no more."""
    comment.deleted_at, comment.deleted_by = at, by.id
    await session.execute(
        update(Post).where(Post.id == comment.post_id).values(comment_count=Post.comment_count - 1)
    )


def no_such_comment(comment_id: str) -> NotFound:
    return NotFound("There is no such comment.", code="comment_not_found", comment_id=comment_id)
