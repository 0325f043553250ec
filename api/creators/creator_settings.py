"""Routes of what a creator sets for all that they publish."""

from __future__ import annotations

from fastapi import APIRouter, Response

from api import API_PREFIX
from api.auth.callers import SignedIn, SignedInCaller
from api.creators import schemas
from api.etags import IfMatch, etag_of, require_if_match, require_match
from api.parts import ApiParts, Parts
from api.problems import PROBLEMS
from infra.db import async_transaction
from infra.queries.callers import load_caller
from infra.queries.creators.settings import creator_row, creator_settings

router = APIRouter(
    prefix=f"{API_PREFIX}/creators/me/settings", tags=["creators"], responses=PROBLEMS
)


@router.get("", operation_id="getCreatorSettings")
async def get_settings(
    response: Response, caller: SignedInCaller, parts: ApiParts
) -> schemas.CreatorSettings:
    """The caller's settings as a creator."""
    return await _shown(parts, caller, response)


@router.patch("", operation_id="editCreatorSettings")
async def edit_settings(
    patch: schemas.CreatorSettingsPatch,
    response: Response,
    caller: SignedInCaller,
    parts: ApiParts,
    if_match: IfMatch = None,
) -> schemas.CreatorSettings:
    """Change them. Needs `If-Match`; they share one ETag with `GET /me`.

    A country that is blocked sees nothing from the next request on. Watermarks of what is
    published already stay as they are.
    """
    expected = require_if_match(if_match)
    async with async_transaction(parts.engine) as session:
        user = await load_caller(session, caller.caller, lock=True)
        creator = await creator_row(session, user)
        require_match(expected, user.version)
        if "watermark_enabled" in patch.model_fields_set:
            creator.watermark_enabled = patch.watermark_enabled
        if "blocked_countries" in patch.model_fields_set:
            creator.blocked_countries = sorted(set(patch.blocked_countries))
        user.version += 1
        user.updated_at = parts.now()
    return await _shown(parts, caller, response)


async def _shown(parts: Parts, caller: SignedIn, response: Response) -> schemas.CreatorSettings:
    found = await creator_settings(parts.reads, caller.caller)
    response.headers["etag"] = etag_of(found.version)
    return schemas.CreatorSettings(
        watermark_enabled=found.watermark_enabled, blocked_countries=found.blocked_countries
    )
