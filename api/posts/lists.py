"""Routes of lists of posts: the feed, one creator's posts, one's own."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from api import API_PREFIX
from api.auth.callers import AnyCaller, SignedInCaller
from api.parts import ApiParts
from api.posts import schemas
from api.posts.staff import audit_staff_view
from api.posts.views import page_answer
from api.problems import PROBLEMS
from api.schemas import PageQuery
from domain.paging import Keyset, keyset_from
from domain.posts import PostState
from infra.queries.posts.lists import feed, own_posts, posts_of_creator

router = APIRouter(prefix=API_PREFIX, tags=["posts"], responses=PROBLEMS)


class CreatorPostsQuery(PageQuery):
    pinned: bool = False


class OwnPostsQuery(PageQuery):
    """Filters of the author's own list."""

    state: PostState | None = None


@router.get("/feed", operation_id="getFeed", response_model=schemas.PostPage)
async def get_feed(
    query: Annotated[PageQuery, Query()], caller: SignedInCaller, parts: ApiParts
) -> Response:
    """Posts of the creators whom the caller follows or subscribes to, newest first.

    Locked ones are among them, with what would open them.
    """
    now = parts.now()
    page = await feed(
        parts.reads, caller=caller.caller, now=now, limit=query.limit, after=_after(query)
    )
    return page_answer(parts, page, now=now)


@router.get(
    "/creators/{creator_id}/posts",
    operation_id="listCreatorPosts",
    response_model=schemas.PostPage,
)
async def list_of_creator(
    creator_id: UUID,
    query: Annotated[CreatorPostsQuery, Query()],
    request: Request,
    caller: AnyCaller,
    parts: ApiParts,
) -> Response:
    """A creator's published posts as the caller may see them, newest first.

    With `pinned=true` only those that the creator holds above the others. Who is not signed in
    sees public posts only.
    """
    now = parts.now()
    page = await posts_of_creator(
        parts.reads,
        caller=caller,
        creator_id=str(creator_id),
        pinned=query.pinned,
        now=now,
        limit=query.limit,
        after=_after(query),
    )
    await audit_staff_view(parts, request, page.posts, action="post.listed")
    return page_answer(parts, page, now=now)


@router.get("/me/posts", operation_id="listMyPosts", response_model=schemas.PostPage)
async def list_own(
    query: Annotated[OwnPostsQuery, Query()], caller: SignedInCaller, parts: ApiParts
) -> Response:
    """The caller's own posts in every state, newest first."""
    now = parts.now()
    page = await own_posts(
        parts.reads,
        caller=caller.caller,
        state=query.state,
        now=now,
        limit=query.limit,
        after=_after(query),
    )
    return page_answer(parts, page, now=now)


def _after(query: PageQuery) -> Keyset | None:
    return keyset_from(query.cursor) if query.cursor is not None else None
