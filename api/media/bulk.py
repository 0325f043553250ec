"""Routes that edit or delete several media of one owner."""

from __future__ import annotations

from fastapi import APIRouter, Request

from api import API_PREFIX
from api.auth.callers import SignedInCaller
from api.contract.bulk import BulkAnswer, BulkIds, for_each
from api.media.managing import change_media, delete_media, open_own
from api.parts import ApiParts
from api.problems import PROBLEMS
from api.schemas import Body
from domain.media.states import Visibility

router = APIRouter(prefix=API_PREFIX, tags=["media"], responses=PROBLEMS)

_ONE = f"{API_PREFIX}/media/{{id}}"


class BatchDeleteRequest(Body):
    media_ids: BulkIds


class BatchEditRequest(Body):
    """What all of them are to be."""

    media_ids: BulkIds
    visibility: Visibility


@router.post("/media:batchDelete", operation_id="batchDeleteMedia")
async def batch_delete(
    body: BatchDeleteRequest, request: Request, caller: SignedInCaller, parts: ApiParts
) -> BulkAnswer:
    """Delete up to a hundred media, with a result for each; those that fail stay as they are."""

    async def delete(media_id: str) -> None:
        await delete_media(parts, caller=caller, media_id=media_id)

    return await for_each(request, body.media_ids, delete, status=202, path=_ONE)


@router.post("/media:batchEdit", operation_id="batchEditMedia")
async def batch_edit(
    body: BatchEditRequest, request: Request, caller: SignedInCaller, parts: ApiParts
) -> BulkAnswer:
    """Set the visibility of up to a hundred media, with a result for each.

    It takes no ETags: what is set holds whatever each of them was before.
    """

    async def edit(media_id: str) -> None:
        opened = await open_own(parts, caller=caller, media_id=media_id)
        await change_media(parts, opened, {"visibility": body.visibility}, if_match="*")

    return await for_each(request, body.media_ids, edit, status=200, path=_ONE)
