"""Routes of comments. Who may see a post in full may read and write them."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from api import API_PREFIX
from api.answers import json_answer
from api.auth.callers import AnyCaller, SignedIn, SignedInCaller
from api.etags import IfMatch, etag_of, require_if_match, require_match
from api.parts import ApiParts, Parts
from api.posts import schemas
from api.posts.staff import audit_staff_view
from api.posts.views import comment_json
from api.problems import PROBLEMS
from api.schemas import PageQuery
from domain.access import Reason
from domain.errors import AccessDenied
from domain.paging import Keyset, cursor_for, keyset_from
from infra.db import async_transaction
from infra.models import AuditEntry
from infra.queries import audit
from infra.queries.access.posts import open_to_take_part
from infra.queries.callers import load_caller
from infra.queries.posts.comments import (
    add_comment,
    list_comments,
    lock_comment,
    no_such_comment,
    open_comment,
    remove_comment,
)

router = APIRouter(prefix=API_PREFIX, tags=["comments"], responses=PROBLEMS)


@router.get(
    "/posts/{post_id}/comments", operation_id="listComments", response_model=schemas.CommentPage
)
async def list_of_post(
    post_id: UUID,
    query: Annotated[PageQuery, Query()],
    request: Request,
    caller: AnyCaller,
    parts: ApiParts,
) -> Response:
    """Comments on a post that is open to the caller, newest first.

    402 with offers where the post is locked.
    """
    now = parts.now()
    judged, comments, has_more = await list_comments(
        parts.reads,
        caller=caller,
        post_id=str(post_id),
        now=now,
        limit=query.limit,
        after=keyset_from(query.cursor) if query.cursor is not None else None,
    )
    await audit_staff_view(parts, request, [judged], action="comment.listed")
    last = Keyset(comments[-1].created_at, comments[-1].id) if has_more else None
    return json_answer(
        {
            "data": [comment_json(parts, each, post_id=str(post_id), now=now) for each in comments],
            "next_cursor": cursor_for(last) if last else None,
            "has_more": has_more,
        }
    )


@router.post(
    "/posts/{post_id}/comments",
    operation_id="createComment",
    status_code=201,
    response_model=schemas.CommentBody,
)
async def create(
    post_id: UUID, wish: schemas.CommentWrite, caller: SignedInCaller, parts: ApiParts
) -> Response:
    """Comment on a published post that is open to the caller."""
    now = parts.now()
    await open_to_take_part(parts.reads, caller=caller.caller, post_id=str(post_id), now=now)
    async with async_transaction(parts.engine) as session:
        author = await load_caller(session, caller.caller)
        comment = await add_comment(
            session, post_id=str(post_id), author=author, body=wish.body, now=now
        )
    return await _comment_answer(parts, caller, comment.id, status_code=201)


@router.patch(
    "/comments/{comment_id}", operation_id="editComment", response_model=schemas.CommentBody
)
async def edit(
    comment_id: UUID,
    wish: schemas.CommentWrite,
    caller: SignedInCaller,
    parts: ApiParts,
    if_match: IfMatch = None,
) -> Response:
    """Change a comment of one's own. Needs `If-Match` with the comment's ETag."""
    now = parts.now()
    judged, seen = await open_comment(
        parts.reads, caller=caller.caller, comment_id=str(comment_id), now=now
    )
    if seen.author.id != caller.user_id:
        raise AccessDenied("Only its author can do that.", code="not_author")
    expected = require_if_match(if_match)
    if judged.decision.hidden:
        raise no_such_comment(str(comment_id))
    judged.require_allowed()
    async with async_transaction(parts.engine) as session:
        await load_caller(session, caller.caller)
        comment = await lock_comment(session, str(comment_id))
        require_match(expected, comment.version)
        comment.body, comment.edited_at = wish.body, now
        comment.version += 1
    return await _comment_answer(parts, caller, str(comment_id))


@router.delete("/comments/{comment_id}", operation_id="deleteComment", status_code=204)
async def delete(
    comment_id: UUID, request: Request, caller: SignedInCaller, parts: ApiParts
) -> None:
    """Delete a comment: its author may, the post's author, and staff."""
    now = parts.now()
    judged, seen = await open_comment(
        parts.reads, caller=caller.caller, comment_id=str(comment_id), now=now
    )
    is_own = caller.user_id in (seen.author.id, judged.owner_id)
    if not is_own and judged.decision.reason is not Reason.STAFF:
        raise AccessDenied("Only its author can do that.", code="not_author")
    async with async_transaction(parts.engine) as session:
        user = await load_caller(session, caller.caller)
        comment = await lock_comment(session, str(comment_id))
        await remove_comment(session, comment, by=user, at=now)
        if not is_own:
            entry = AuditEntry(
                actor_id=user.id,
                actor_name=user.handle,
                action="comment.deleted",
                subject_type="comment",
                subject_id=comment.id,
                request_id=request.scope.get("request_id"),
                detail={"author_id": comment.author_id, "post_id": comment.post_id},
            )
            await session.run_sync(audit.record, entry)


async def _comment_answer(
    parts: Parts, caller: SignedIn, comment_id: str, *, status_code: int = 200
) -> Response:
    now = parts.now()
    judged, comment = await open_comment(
        parts.reads, caller=caller.caller, comment_id=comment_id, now=now
    )
    return json_answer(
        comment_json(parts, comment, post_id=judged.id, now=now),
        status_code=status_code,
        headers={"etag": etag_of(comment.version)},
    )
