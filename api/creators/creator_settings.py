"""Routes of what a creator sets for all that they publish."""

from __future__ import annotations

from fastapi import APIRouter, Response
from sqlalchemy.orm import Session

from api import API_PREFIX
from api.auth.callers import SignedIn, SignedInCaller
from api.creators import schemas
from api.etags import IfMatch, etag_of, require_if_match, require_match
from api.parts import ApiParts, Parts
from api.problems import PROBLEMS
from domain.tiers import check_tip_minimum
from infra.db import async_transaction
from infra.queries.callers import load_caller
from infra.queries.creators.settings import creator_row, creator_settings
from infra.queries.tiers.writing import lock_creator, set_currency

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
    published already stay as they are. The currency stays once a tier or a code has a price in
    it: 409 `currency_stays`.
    """
    expected = require_if_match(if_match)
    async with async_transaction(parts.engine) as session:
        user = await load_caller(session, caller.caller, lock=True)
        creator = await creator_row(session, user)
        require_match(expected, user.version)
        await session.run_sync(_set_prices, creator.user_id, patch)
        if "watermark_enabled" in patch.model_fields_set:
            creator.watermark_enabled = patch.watermark_enabled
        if "blocked_countries" in patch.model_fields_set:
            creator.blocked_countries = sorted(set(patch.blocked_countries))
        user.version += 1
        user.updated_at = parts.now()
    return await _shown(parts, caller, response)


def _set_prices(session: Session, creator_id: str, patch: schemas.CreatorSettingsPatch) -> None:
    """Of the patch, what is about money. The creator's tiers can't change meanwhile."""
    given = patch.model_fields_set
    if not given & {"currency", "subscriber_discount_bps", "tip_minimum_minor"}:
        return
    creator = lock_creator(session, creator_id)
    if "currency" in given:
        set_currency(session, creator, patch.currency)
    if "subscriber_discount_bps" in given:
        creator.subscriber_discount_bps = patch.subscriber_discount_bps
    if "tip_minimum_minor" in given:
        if patch.tip_minimum_minor is not None:
            check_tip_minimum(patch.tip_minimum_minor, creator.currency)
        creator.tip_minimum_minor = patch.tip_minimum_minor


async def _shown(parts: Parts, caller: SignedIn, response: Response) -> schemas.CreatorSettings:
    found = await creator_settings(parts.reads, caller.caller)
    response.headers["etag"] = etag_of(found.version)
    return schemas.CreatorSettings(
        watermark_enabled=found.watermark_enabled,
        blocked_countries=found.blocked_countries,
        currency=found.currency,
        subscriber_discount_bps=found.subscriber_discount_bps,
        tip_minimum_minor=found.tip_minimum_minor,
    )
