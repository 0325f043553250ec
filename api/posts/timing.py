"""Routes that say when a post is published."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Response

from api import API_PREFIX
from api.auth.callers import SignedInCaller
from api.parts import ApiParts
from api.posts import schemas
from api.posts.items import own_answer
from api.posts.writing import publish_post, schedule_post, unschedule_post
from api.problems import PROBLEMS

router = APIRouter(prefix=f"{API_PREFIX}/posts/{{post_id}}", tags=["posts"], responses=PROBLEMS)


@router.post("/publish", operation_id="publishPost", response_model=schemas.PostBody)
async def publish(post_id: UUID, caller: SignedInCaller, parts: ApiParts) -> Response:
    """Publish a draft or a scheduled post at once. It needs a text or a media."""
    await publish_post(parts, caller, str(post_id))
    return await own_answer(parts, caller, str(post_id))


@router.put("/schedule", operation_id="schedulePost", response_model=schemas.PostBody)
async def schedule(
    post_id: UUID, wish: schemas.ScheduleRequest, caller: SignedInCaller, parts: ApiParts
) -> Response:
    """Have a draft published at a moment of up to a year ahead, or choose another moment."""
    await schedule_post(parts, caller, str(post_id), wish.publish_at)
    return await own_answer(parts, caller, str(post_id))


@router.delete("/schedule", operation_id="unschedulePost", response_model=schemas.PostBody)
async def unschedule(post_id: UUID, caller: SignedInCaller, parts: ApiParts) -> Response:
    """Make a scheduled post a draft again. Repeating it is safe."""
    await unschedule_post(parts, caller, str(post_id))
    return await own_answer(parts, caller, str(post_id))
