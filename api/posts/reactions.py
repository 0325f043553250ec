"""Routes that hold a post above others, or like it."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Response

from api import API_PREFIX
from api.auth.callers import SignedInCaller
from api.parts import ApiParts
from api.posts import schemas
from api.posts.items import own_answer
from api.posts.writing import own_post
from api.problems import PROBLEMS
from domain.errors import Conflict
from domain.posts import PostState
from infra.db import async_transaction
from infra.queries.access.posts import judge_as_person, open_to_take_part
from infra.queries.callers import load_caller
from infra.queries.posts.writing import set_liked, set_pinned

router = APIRouter(prefix=f"{API_PREFIX}/posts/{{post_id}}", tags=["posts"], responses=PROBLEMS)


@router.put("/pin", operation_id="pinPost", response_model=schemas.PostBody)
async def pin(post_id: UUID, caller: SignedInCaller, parts: ApiParts) -> Response:
    """Hold a published post of one's own above the others; up to three are.

    `GET /creators/{creator_id}/posts?pinned=true` lists them. Repeating it is safe.
    """
    async with own_post(parts, caller, str(post_id)) as own:
        await set_pinned(own.session, own.post, pinned=True, now=parts.now())
    return await own_answer(parts, caller, str(post_id))


@router.delete("/pin", operation_id="unpinPost", response_model=schemas.PostBody)
async def unpin(post_id: UUID, caller: SignedInCaller, parts: ApiParts) -> Response:
    """Hold a post of one's own above the others no more. Repeating it is safe."""
    async with own_post(parts, caller, str(post_id)) as own:
        await set_pinned(own.session, own.post, pinned=False, now=parts.now())
    return await own_answer(parts, caller, str(post_id))


@router.put("/like", operation_id="likePost")
async def like(post_id: UUID, caller: SignedInCaller, parts: ApiParts) -> schemas.LikeBody:
    """Like a published post that is open to the caller. Repeating it is safe."""
    now = parts.now()
    judged = await open_to_take_part(
        parts.reads, caller=caller.caller, post_id=str(post_id), now=now
    )
    if judged.state is not PostState.PUBLISHED:
        raise Conflict("It is not published.", code="not_published", state=judged.state)
    async with async_transaction(parts.engine) as session:
        user = await load_caller(session, caller.caller)
        count = await set_liked(session, post_id=str(post_id), user_id=user.id, liked=True, now=now)
    return schemas.LikeBody(liked=True, like_count=count)


@router.delete("/like", operation_id="unlikePost")
async def unlike(post_id: UUID, caller: SignedInCaller, parts: ApiParts) -> schemas.LikeBody:
    """Like a post no more, also one that is locked by now. Repeating it is safe."""
    now = parts.now()
    judged = await judge_as_person(parts.reads, caller=caller.caller, post_id=str(post_id), now=now)
    async with async_transaction(parts.engine) as session:
        user = await load_caller(session, caller.caller)
        count = await set_liked(
            session, post_id=str(post_id), user_id=user.id, liked=False, now=now
        )
    return schemas.LikeBody(liked=False, like_count=count if judged.decision.allowed else None)
