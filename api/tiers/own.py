"""Routes of a creator's own tiers and their bundles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from sqlalchemy.orm import Session

from api import API_PREFIX
from api.answers import json_answer
from api.auth.callers import SignedIn, SignedInCaller
from api.etags import IfMatch, etag_of, require_if_match, require_match
from api.parts import ApiParts, Parts
from api.problems import PROBLEMS
from api.tiers import schemas
from api.tiers.views import tier_json
from api.tiers.writing import as_creator, note
from domain.paging import cursor_for, keyset_from
from domain.tiers import TierTerms
from infra.ids import new_id
from infra.models import Tier, User
from infra.queries.tiers import reading, writing

router = APIRouter(prefix=f"{API_PREFIX}/me/tiers", tags=["tiers"], responses=PROBLEMS)

Months = Annotated[Literal["3", "6", "12"], Path()]
_PLAIN = ("name", "description", "benefits", "is_visible", "subscriber_cap", "trial_days")


@router.get("", operation_id="listMyTiers", response_model=schemas.TierPage)
async def list_tiers(
    query: Annotated[schemas.OwnListQuery, Query()], caller: SignedInCaller, parts: ApiParts
) -> Response:
    """The caller's tiers, the newest first: hidden ones too, or those that are archived."""
    after = keyset_from(query.cursor) if query.cursor is not None else None
    tiers, last = await reading.own_tiers(
        parts.reads, caller.caller, archived=query.archived, after=after, limit=query.limit
    )
    return json_answer(
        {
            "data": [tier_json(each) for each in tiers],
            "next_cursor": cursor_for(last) if last else None,
            "has_more": last is not None,
        }
    )


@router.post("", operation_id="createTier", status_code=201, response_model=schemas.TierBody)
async def create(wish: schemas.TierCreate, caller: SignedInCaller, parts: ApiParts) -> Response:
    """Sell a new tier. It stands above all others until they are ordered anew.

    For creators, of up to ten tiers at a time. All of them have the creator's one currency.
    """
    now, tier_id = parts.now(), new_id()

    def write(session: Session, user: User) -> None:
        creator = writing.lock_creator(session, user.id)
        TierTerms(wish.price_minor, creator.currency, wish.trial_days).check()
        tier = Tier(
            id=tier_id,
            creator_id=user.id,
            currency=creator.currency,
            created_at=now,
            updated_at=now,
            **wish.model_dump(),
        )
        writing.add_tier(session, tier, at=now)

    await as_creator(parts, caller, write)
    return await _answer(parts, caller, tier_id, is_new=True)


@router.put("/order", operation_id="orderTiers", status_code=204)
async def order(
    wish: schemas.TierOrder, request: Request, caller: SignedInCaller, parts: ApiParts
) -> None:
    """Say which tier stands above which.

    Posts that are for a tier are open from its new place on: those who subscribe to a tier that
    went down may see less at once. Archived tiers stay where they were.
    """
    now = parts.now()

    def write(session: Session, user: User) -> None:
        writing.reorder(session, user.id, wish.tier_ids, at=now)
        detail = {"tier_ids": list(wish.tier_ids)}
        note(session, request, user, "tiers.ordered", user.id, detail, kind="creator")

    await as_creator(parts, caller, write)


@router.get("/{tier_id}", operation_id="getMyTier", response_model=schemas.TierBody)
async def get(tier_id: UUID, caller: SignedInCaller, parts: ApiParts) -> Response:
    """A tier of the caller's, archived or not."""
    return await _answer(parts, caller, str(tier_id))


@router.patch("/{tier_id}", operation_id="editTier", response_model=schemas.TierBody)
async def edit(
    tier_id: UUID,
    patch: schemas.TierPatch,
    request: Request,
    caller: SignedInCaller,
    parts: ApiParts,
    if_match: IfMatch = None,
) -> Response:
    """Change a tier of one's own. Needs `If-Match` with its ETag.

    A new price counts for who subscribes from now on. Those who do already have a lower one at
    their next renewal, and a higher one at the first renewal after `price_effective_at`, if they
    agree to it.
    """
    changes = patch.model_dump(exclude_unset=True)
    now = parts.now()

    def change(session: Session, user: User, tier: Tier) -> None:
        price = changes.get("price_minor", tier.price_minor)
        trial = changes.get("trial_days", tier.trial_days)
        TierTerms(price, tier.currency, trial).check()
        for name in _PLAIN:
            setattr(tier, name, changes.get(name, getattr(tier, name)))
        if price != tier.price_minor:
            detail = {
                "from_minor": tier.price_minor,
                "to_minor": price,
                "currency": tier.currency,
                "version": tier.version + 1,
            }
            writing.set_price(session, tier, price, at=now)
            note(session, request, user, "tier.price_changed", tier.id, detail)
        writing.touch(tier, now)

    await _change(parts, caller, tier_id, change, if_match=require_if_match(if_match))
    return await _answer(parts, caller, str(tier_id))


@router.delete("/{tier_id}", operation_id="archiveTier", status_code=204)
async def archive(tier_id: UUID, request: Request, caller: SignedInCaller, parts: ApiParts) -> None:
    """Sell a tier no more, for good.

    Who subscribes to it goes on, renews, and sees what they saw. 409 `tier_needed` where posts
    are for it and no higher tier is for sale: nobody new could open them.
    """
    now = parts.now()

    def change(session: Session, user: User, tier: Tier) -> None:
        writing.archive(session, tier, at=now)
        note(session, request, user, "tier.archived", tier.id, {})

    await _change(parts, caller, tier_id, change)


@router.put(
    "/{tier_id}/bundles/{months}", operation_id="setBundle", response_model=schemas.TierBody
)
async def set_bundle(
    tier_id: UUID, months: Months, wish: schemas.BundlePut, caller: SignedInCaller, parts: ApiParts
) -> Response:
    """Sell so many months of a tier at once, for less.

    A new discount counts for who buys the bundle from now on; others keep theirs.
    """
    now = parts.now()

    def change(session: Session, user: User, tier: Tier) -> None:
        del user
        writing.set_bundle(
            session, tier, months=int(months), discount_bps=wish.discount_bps, at=now
        )

    await _change(parts, caller, tier_id, change)
    return await _answer(parts, caller, str(tier_id))


@router.delete("/{tier_id}/bundles/{months}", operation_id="dropBundle", status_code=204)
async def drop_bundle(
    tier_id: UUID, months: Months, caller: SignedInCaller, parts: ApiParts
) -> None:
    """Sell a bundle no more. Who has bought it keeps it, and its discount. Repeating it is safe."""
    now = parts.now()

    def change(session: Session, user: User, tier: Tier) -> None:
        del user
        writing.drop_bundle(session, tier, months=int(months), at=now)

    await _change(parts, caller, tier_id, change)


async def _change(
    parts: Parts,
    caller: SignedIn,
    tier_id: UUID,
    change: Callable[[Session, User, Tier], None],
    *,
    if_match: str = "*",
) -> None:
    """Do something to a tier of the caller's that is not archived, in one transaction."""

    def write(session: Session, user: User) -> None:
        tier = writing.lock_own_tier(session, str(tier_id), creator_id=user.id)
        require_match(if_match, tier.version)
        change(session, user, tier)

    await as_creator(parts, caller, write)


async def _answer(
    parts: Parts, caller: SignedIn, tier_id: str, *, is_new: bool = False
) -> Response:
    tier = await reading.own_tier(parts.reads, caller.caller, tier_id)
    headers = {"etag": etag_of(tier.version)}
    if is_new:
        headers["location"] = f"{API_PREFIX}/me/tiers/{tier_id}"
    return json_answer(tier_json(tier), status_code=201 if is_new else 200, headers=headers)
