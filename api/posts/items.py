"""Routes of one post: write, read, edit, delete; and decisions on a hundred."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request, Response
from starlette.background import BackgroundTask

from api import API_PREFIX
from api.answers import json_answer
from api.auth.callers import AnyCaller, SignedIn, SignedInCaller
from api.auth.origin import origin_of
from api.contract.bulk import BulkAnswer, for_each
from api.etags import IfMatch, require_if_match
from api.media.views import access_json
from api.parts import ApiParts, Parts
from api.posts import schemas
from api.posts.staff import audit_staff_view
from api.posts.views import post_answer
from api.posts.writing import create_post, delete_post, edit_post
from api.problems import PROBLEMS
from domain.errors import Invalid
from infra.models.refunds import AccessedItem
from infra.queries.access.posts import decide_posts, open_post

router = APIRouter(prefix=API_PREFIX, tags=["posts"], responses=PROBLEMS)


@router.post("/posts", operation_id="createPost", status_code=201, response_model=schemas.PostBody)
async def create(wish: schemas.PostCreate, caller: SignedInCaller, parts: ApiParts) -> Response:
    """Write a post: as a draft, published at once, or scheduled.

    For creators. Media may still be processing; each is shown as soon as it is ready. A media
    that is `public` by itself can only be in a public post.
    """
    post_id = await create_post(parts, caller, wish)
    return await own_answer(parts, caller, post_id, is_new=True)


@router.get("/posts/{post_id}", operation_id="getPost", response_model=schemas.PostBody)
async def get(post_id: UUID, request: Request, caller: AnyCaller, parts: ApiParts) -> Response:
    """A post as the caller may see it.

    To whom it is open it comes with its text and with addresses of its media. Others who are
    signed in see on which terms it is open, and blurred previews. Who may not know of it gets 404.
    """
    now = parts.now()
    opened = await open_post(parts.reads, caller=caller, post_id=str(post_id), now=now)
    await audit_staff_view(parts, request, [opened], action="post.viewed")
    answer = post_answer(parts, opened, now=now)
    viewer = opened.viewer
    if parts.access_log.is_news(viewer, opened.decision, AccessedItem.POST, opened.id, now):
        answer.background = BackgroundTask(
            parts.access_log.note,
            viewer,
            creator_id=opened.owner_id,
            item=AccessedItem.POST,
            item_ids=[opened.id],
            origin=origin_of(request, parts.settings),
            at=now,
        )
    return answer


@router.patch("/posts/{post_id}", operation_id="editPost", response_model=schemas.PostBody)
async def edit(
    post_id: UUID,
    patch: schemas.PostPatch,
    request: Request,
    caller: SignedInCaller,
    parts: ApiParts,
    if_match: IfMatch = None,
) -> Response:
    """Change a post of one's own. Needs `If-Match` with the post's ETag.

    Once it is published its media stay, and it does not begin or cease to be paid. A new price
    counts for those who have not paid yet.
    """
    await edit_post(
        parts,
        caller,
        str(post_id),
        patch,
        if_match=require_if_match(if_match),
        request_id=request.scope.get("request_id"),
    )
    return await own_answer(parts, caller, str(post_id))


@router.delete("/posts/{post_id}", operation_id="deletePost", status_code=204)
async def delete(post_id: UUID, caller: SignedInCaller, parts: ApiParts) -> None:
    """Hide a post of one's own from everybody at once. Its media stay in one's library."""
    await delete_post(parts, caller, str(post_id))


@router.post(
    "/posts:batchAccess", operation_id="batchPostAccess", response_model=schemas.PostsAccessBody
)
async def batch_access(
    request: schemas.PostsAccessRequest, caller: AnyCaller, parts: ApiParts
) -> Response:
    """Decide for up to a hundred posts at once, in the order asked.

    What does not exist and what the caller may not know of are both `hidden`.
    """
    most = parts.settings.batch_access_max
    if len(request.post_ids) > most:
        raise Invalid(
            f"Up to {most} ids can be asked for at once.", code="too_many_ids", limit=most
        )
    ids = request.post_ids
    decisions = await decide_posts(parts.reads, caller=caller, post_ids=ids, now=parts.now())
    return json_answer(
        {
            "data": [
                {"post_id": post_id, **access_json(decision)}
                for post_id, decision in zip(ids, decisions, strict=True)
            ]
        }
    )


@router.post("/posts:batchDelete", operation_id="batchDeletePosts")
async def batch_delete(
    body: schemas.PostsDeleteRequest, request: Request, caller: SignedInCaller, parts: ApiParts
) -> BulkAnswer:
    """Hide up to a hundred posts of one's own from everybody, with a result for each; those that
    fail stay as they are."""

    async def delete_one(post_id: str) -> None:
        await delete_post(parts, caller, post_id)

    return await for_each(
        request, body.post_ids, delete_one, status=204, path=f"{API_PREFIX}/posts/{{id}}"
    )


async def own_answer(
    parts: Parts, caller: SignedIn, post_id: str, *, is_new: bool = False
) -> Response:
    """The caller's own post as it stands after what they did to it."""
    now = parts.now()
    opened = await open_post(parts.reads, caller=caller.caller, post_id=post_id, now=now)
    return post_answer(parts, opened, now=now, is_new=is_new)
