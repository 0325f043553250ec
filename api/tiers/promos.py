"""Routes of a creator's own promo codes."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.orm import Session

from api import API_PREFIX
from api.answers import json_answer
from api.auth.callers import SignedIn, SignedInCaller
from api.etags import IfMatch, etag_of, require_if_match, require_match
from api.parts import ApiParts, Parts
from api.problems import PROBLEMS
from api.tiers import schemas
from api.tiers.views import promo_json
from api.tiers.writing import as_creator, note
from domain.paging import cursor_for, keyset_from
from infra.ids import new_id
from infra.models import PromoCode, User
from infra.queries.tiers import promos, reading
from infra.queries.tiers.writing import lock_creator

router = APIRouter(prefix=f"{API_PREFIX}/me/promo-codes", tags=["tiers"], responses=PROBLEMS)


@router.get("", operation_id="listMyPromoCodes", response_model=schemas.PromoPage)
async def list_codes(
    query: Annotated[schemas.OwnListQuery, Query()], caller: SignedInCaller, parts: ApiParts
) -> Response:
    """The caller's codes, the newest first: those that count, or those that are archived."""
    after = keyset_from(query.cursor) if query.cursor is not None else None
    codes, last = await reading.own_promos(
        parts.reads, caller.caller, archived=query.archived, after=after, limit=query.limit
    )
    return json_answer(
        {
            "data": [promo_json(each) for each in codes],
            "next_cursor": cursor_for(last) if last else None,
            "has_more": last is not None,
        }
    )


@router.post("", operation_id="createPromoCode", status_code=201, response_model=schemas.PromoBody)
async def create(
    wish: schemas.PromoCreate, request: Request, caller: SignedInCaller, parts: ApiParts
) -> Response:
    """Make a code that takes something off the price of a subscription, or begins it with a trial.

    For creators. A code counts for the first subscription that is made with it, and as long as
    its duration says.
    """
    now, promo_id = parts.now(), new_id()

    def write(session: Session, user: User) -> None:
        lock_creator(session, user.id)
        promo = PromoCode(
            id=promo_id,
            creator_id=user.id,
            created_at=now,
            updated_at=now,
            **(wish.model_dump() | _texts(wish)),
        )
        promos.add_promo(session, promo)
        detail = {"code": promo.code, "kind": promo.kind, "value": promo.value}
        note(session, request, user, "promo_code.created", promo.id, detail, kind="promo_code")

    await as_creator(parts, caller, write)
    return await _answer(parts, caller, promo_id, is_new=True)


@router.get("/{promo_id}", operation_id="getMyPromoCode", response_model=schemas.PromoBody)
async def get(promo_id: UUID, caller: SignedInCaller, parts: ApiParts) -> Response:
    """A code of the caller's, archived or not."""
    return await _answer(parts, caller, str(promo_id))


@router.patch("/{promo_id}", operation_id="editPromoCode", response_model=schemas.PromoBody)
async def edit(
    promo_id: UUID,
    patch: schemas.PromoPatch,
    caller: SignedInCaller,
    parts: ApiParts,
    if_match: IfMatch = None,
) -> Response:
    """Change whom a code is for, when and how often. Needs `If-Match` with its ETag.

    Subscriptions that have it keep what it takes off. A cap below what is redeemed already is
    409 `promo_cap_passed`.
    """
    expected = require_if_match(if_match)
    changes = patch.model_dump(exclude_unset=True)
    now = parts.now()

    def write(session: Session, user: User) -> None:
        promo = promos.lock_own_promo(session, str(promo_id), creator_id=user.id)
        require_match(expected, promo.version)
        promos.edit_promo(session, promo, changes, at=now)

    await as_creator(parts, caller, write)
    return await _answer(parts, caller, str(promo_id))


@router.delete("/{promo_id}", operation_id="archivePromoCode", status_code=204)
async def archive(
    promo_id: UUID, request: Request, caller: SignedInCaller, parts: ApiParts
) -> None:
    """Let a code count no more, for good. Subscriptions that have it keep what it takes off."""
    now = parts.now()

    def write(session: Session, user: User) -> None:
        promo = promos.lock_own_promo(session, str(promo_id), creator_id=user.id)
        promo.archived_at = now
        promos.touch(promo, now)
        detail = {"code": promo.code, "redeemed_count": promo.redeemed_count}
        note(session, request, user, "promo_code.archived", promo.id, detail, kind="promo_code")

    await as_creator(parts, caller, write)


def _texts(wish: schemas.PromoCreate) -> dict[str, str]:
    """Fields that are kept in another form than they are sent."""
    return {
        "code": wish.code.upper(),
        "kind": wish.kind.value,
        "duration": wish.duration.value,
        "audience": wish.audience.value,
    }


async def _answer(
    parts: Parts, caller: SignedIn, promo_id: str, *, is_new: bool = False
) -> Response:
    promo = await reading.own_promo(parts.reads, caller.caller, promo_id)
    headers = {"etag": etag_of(promo.version)}
    if is_new:
        headers["location"] = f"{API_PREFIX}/me/promo-codes/{promo_id}"
    return json_answer(promo_json(promo), status_code=201 if is_new else 200, headers=headers)
