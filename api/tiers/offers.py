"""Routes of what a creator sells, for whoever may know of them: tiers, and what one would cost."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response
from sqlalchemy.orm import Session

from api import API_PREFIX
from api.answers import json_answer
from api.auth.callers import AnyCaller
from api.parts import ApiParts
from api.problems import PROBLEMS
from api.tiers import schemas
from api.tiers.views import Json, offered_json, quote_json
from domain.subscriptions.pricing import quote
from infra.db import async_transaction
from infra.queries.tiers.buying import offered
from infra.queries.tiers.reading import shop_of

router = APIRouter(prefix=f"{API_PREFIX}/creators", tags=["tiers"], responses=PROBLEMS)

Handle = Annotated[str, Path(max_length=64, pattern="^[^\\x00]*$", examples=["mia"])]


@router.get("/{handle}/tiers", operation_id="listTiers", response_model=schemas.OfferedTiersBody)
async def list_tiers(handle: Handle, caller: AnyCaller, parts: ApiParts) -> Response:
    """The tiers that a creator sells, the lowest first, with their bundles.

    404 if there is no such creator, as for those of whom the caller may not know.
    """
    shop = await shop_of(parts.reads, caller=caller, handle=handle.lower(), now=parts.now())
    return json_answer(
        {"data": [offered_json(tier, is_full=is_full) for tier, is_full in shop.tiers]}
    )


@router.post("/{handle}/quote", operation_id="getQuote", response_model=schemas.QuoteBody)
async def get_quote(
    handle: Handle, wish: schemas.QuoteRequest, caller: AnyCaller, parts: ApiParts
) -> Response:
    """What it would cost the caller to subscribe to a tier now, and later. Nothing is kept.

    A code that does not count is 422, and `code` of the problem says why: `promo_unknown`,
    `promo_not_started`, `promo_expired`, `promo_wrong_tier`, `promo_new_fans_only`,
    `promo_former_fans_only`, `promo_already_used`, `promo_used_up` or `promo_not_needed`. A tier
    without a free place is 409 `tier_full`.
    """
    now = parts.now()
    shop = await shop_of(parts.reads, caller=caller, handle=handle.lower(), now=now)

    def ask(session: Session) -> Json:
        found = offered(
            session,
            creator_id=shop.creator_id,
            tier_id=wish.tier_id,
            months=wish.months,
            code=wish.code,
            fan_id=caller.user_id,
            at=now,
        )
        return quote_json(found.tier.id, quote(found.plan, at=now), found.promo)

    async with async_transaction(parts.engine) as session:
        answer = await session.run_sync(ask)
    return json_answer(answer)
