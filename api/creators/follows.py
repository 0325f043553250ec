"""Routes of follows: who follows whom, and begins or ends it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from api import API_PREFIX
from api.auth.callers import SignedInCaller
from api.creators import schemas
from api.parts import ApiParts, Parts
from api.portraits import person_body
from api.problems import PROBLEMS
from api.schemas import PageQuery
from domain.paging import cursor_for, keyset_from
from infra.db import async_transaction
from infra.queries.callers import load_caller
from infra.queries.creators.following import follow, list_followers, list_following, unfollow
from infra.queries.own_pages import PeoplePage

router = APIRouter(prefix=API_PREFIX, tags=["creators"], responses=PROBLEMS)


@router.put("/creators/{creator_id}/follow", operation_id="followCreator", status_code=204)
async def put_follow(creator_id: UUID, caller: SignedInCaller, parts: ApiParts) -> None:
    """Follow a creator. Repeating it is safe."""
    async with async_transaction(parts.engine) as session:
        fan = await load_caller(session, caller.caller)
        await follow(
            session,
            fan=fan,
            creator_id=str(creator_id),
            country=caller.country,
            now=parts.now(),
        )


@router.delete("/creators/{creator_id}/follow", operation_id="unfollowCreator", status_code=204)
async def delete_follow(creator_id: UUID, caller: SignedInCaller, parts: ApiParts) -> None:
    """Follow a creator no longer. Repeating it is safe."""
    async with async_transaction(parts.engine) as session:
        fan = await load_caller(session, caller.caller)
        await unfollow(session, fan_id=fan.id, creator_id=str(creator_id))


@router.get("/me/following", operation_id="listMyFollowing")
async def get_following(
    query: Annotated[PageQuery, Query()], caller: SignedInCaller, parts: ApiParts
) -> schemas.FollowPage:
    """Whom the caller follows, the newest first."""
    after = keyset_from(query.cursor) if query.cursor is not None else None
    page = await list_following(parts.reads, caller=caller.caller, after=after, limit=query.limit)
    return _page_body(parts, page, parts.now())


@router.get("/creators/me/followers", operation_id="listMyFollowers")
async def get_followers(
    query: Annotated[PageQuery, Query()], caller: SignedInCaller, parts: ApiParts
) -> schemas.FollowPage:
    """Who follows the caller, the newest first.

    Those who don't want to be named are counted, but not in the list.
    """
    after = keyset_from(query.cursor) if query.cursor is not None else None
    page = await list_followers(parts.reads, caller=caller.caller, after=after, limit=query.limit)
    return _page_body(parts, page, parts.now())


def _page_body(parts: Parts, page: PeoplePage, now: datetime) -> schemas.FollowPage:
    return schemas.FollowPage(
        data=[
            schemas.FollowBody(user=person_body(parts, each.person, now), followed_at=each.since)
            for each in page.people
        ],
        next_cursor=cursor_for(page.last) if page.last else None,
        has_more=page.last is not None,
    )
