"""Routes of what one blocks and of the rights one holds."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from api import API_PREFIX
from api.auth.callers import SignedInCaller
from api.parts import ApiParts
from api.portraits import person_body
from api.problems import PROBLEMS
from api.schemas import PageQuery
from api.users import schemas
from domain.paging import cursor_for, keyset_from
from infra.db import async_transaction
from infra.queries.callers import load_caller
from infra.queries.users.blocks import block, list_blocked, unblock
from infra.queries.users.rights import list_rights

router = APIRouter(prefix=f"{API_PREFIX}/me", tags=["users"], responses=PROBLEMS)


@router.get("/blocks", operation_id="listMyBlocks")
async def list_blocks(
    query: Annotated[PageQuery, Query()], caller: SignedInCaller, parts: ApiParts
) -> schemas.BlockedPage:
    """Whom the caller blocks, the newest first."""
    now = parts.now()
    after = keyset_from(query.cursor) if query.cursor is not None else None
    page = await list_blocked(parts.reads, caller=caller.caller, after=after, limit=query.limit)
    return schemas.BlockedPage(
        data=[
            schemas.BlockedBody(user=person_body(parts, each.person, now), blocked_at=each.since)
            for each in page.people
        ],
        next_cursor=cursor_for(page.last) if page.last else None,
        has_more=page.last is not None,
    )


@router.put("/blocks/{user_id}", operation_id="blockUser", status_code=204)
async def put_block(user_id: UUID, caller: SignedInCaller, parts: ApiParts) -> None:
    """Want nothing to do with somebody: neither sees the other, and follows between them end.

    Rights that one holds on what the other publishes open nothing while the block lasts.
    Repeating it is safe.
    """
    async with async_transaction(parts.engine) as session:
        user = await load_caller(session, caller.caller)
        await block(session, blocker_id=user.id, blocked_id=str(user_id))


@router.delete("/blocks/{user_id}", operation_id="unblockUser", status_code=204)
async def delete_block(user_id: UUID, caller: SignedInCaller, parts: ApiParts) -> None:
    """Take a block back. What was followed before is not followed again. Repeating it is safe."""
    async with async_transaction(parts.engine) as session:
        user = await load_caller(session, caller.caller)
        await unblock(session, blocker_id=user.id, blocked_id=str(user_id))


@router.get("/entitlements", operation_id="listMyEntitlements")
async def list_entitlements(
    query: Annotated[PageQuery, Query()], caller: SignedInCaller, parts: ApiParts
) -> schemas.RightPage:
    """The rights that the caller holds now, the newest first."""
    now = parts.now()
    after = keyset_from(query.cursor) if query.cursor is not None else None
    listed, last = await list_rights(
        parts.reads, caller=caller.caller, now=now, after=after, limit=query.limit
    )
    return schemas.RightPage(
        data=[
            schemas.RightBody(
                id=each.id,
                source=each.source,
                creator=person_body(parts, each.creator, now),
                media_id=each.media_id,
                post_id=each.post_id,
                tier_id=each.tier_id,
                tier_name=each.tier_name,
                starts_at=each.starts_at,
                expires_at=each.expires_at,
            )
            for each in listed
        ],
        next_cursor=cursor_for(last) if last else None,
        has_more=last is not None,
    )
