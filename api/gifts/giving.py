"""Routes of gifts."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from api import API_PREFIX
from api.auth.callers import SignedIn, SignedInCaller
from api.charges.paying import card_to_charge, hear_confirmation, hear_payment
from api.charges.views import payment_body
from api.contract.idempotency import IdempotencyKeyRequired
from api.gifts import schemas
from api.parts import ApiParts, Parts
from api.portraits import person_body
from api.problems import PROBLEMS
from api.schemas import PageQuery
from domain.errors import NotFound
from domain.ids import derived_id, gift_workflow_id
from domain.paging import cursor_for, keyset_from
from domain.subscriptions.gifts import UNDER_WAY, GiftState
from infra.db import async_transaction
from infra.queries.callers import load_caller
from infra.queries.charges.reading import latest_charge
from infra.queries.gifts.effects import withdraw
from infra.queries.gifts.giving import (
    BoughtGift,
    Compliment,
    ListedGift,
    begin_gift,
    give_compliment,
    list_compliments,
    list_received,
    own_gift,
    require_same,
)
from infra.queries.tiers.buying import offered
from infra.queries.tiers.reading import shop_of
from workflows.gifts.start import gift_order

router = APIRouter(prefix=API_PREFIX, tags=["gifts"], responses=PROBLEMS)

Handle = Annotated[str, Path(max_length=64, pattern="^[^\\x00]*$", examples=["mia"])]
PENDING = 202
"""Begun, and it goes on by itself: ask again."""


@router.post(
    "/creators/{handle}/gifts",
    operation_id="sendGift",
    response_model=schemas.GiftBody,
    responses={PENDING: {"model": schemas.GiftBody, "description": "Under way; ask again."}},
)
async def send(
    handle: Handle,
    wish: schemas.GiftRequest,
    caller: SignedInCaller,
    key: IdempotencyKeyRequired,
    parts: ApiParts,
    response: Response,
) -> schemas.GiftBody:
    """Buy somebody else some months of a tier. It ends by itself; nothing is renewed."""
    now = parts.now()
    shop = await shop_of(parts.reads, caller=caller.caller, handle=handle.lower(), now=now)
    async with async_transaction(parts.engine) as session:
        giver = await load_caller(session, caller.caller, lock=True)
        gift_id = derived_id("gift", giver.id, key)
        gift = await own_gift(session, giver_id=giver.id, gift_id=gift_id)
        if gift is not None:
            await session.run_sync(
                require_same,
                gift,
                recipient=wish.recipient,
                creator_id=shop.creator_id,
                tier_id=wish.tier_id,
                months=wish.months,
            )
        else:
            card = await card_to_charge(
                session, fan_id=giver.id, payment_method_id=wish.payment_method_id, at=now
            )
            terms = await session.run_sync(
                offered,
                creator_id=shop.creator_id,
                tier_id=wish.tier_id,
                months=wish.months,
                code=None,
                fan_id=None,
                at=now,
            )
            bought = BoughtGift(
                id=gift_id,
                giver_id=giver.id,
                recipient=wish.recipient,
                offered=terms,
                note=wish.note,
                payment_method_id=card.id,
                at=now,
            )
            gift = await session.run_sync(begin_gift, bought)
    if GiftState(gift.state) in UNDER_WAY:
        await hear_payment(parts, gift_order(gift, at=now))
    body = await _read(parts, caller, gift_id)
    if body.state in (GiftState.CHARGING, GiftState.PROCESSING):
        response.status_code = PENDING
    return body


@router.get("/gifts/{gift_id}", operation_id="getGift", response_model=schemas.GiftBody)
async def get(gift_id: UUID, caller: SignedInCaller, parts: ApiParts) -> schemas.GiftBody:
    """How a gift stands that the caller bought."""
    return await _read(parts, caller, str(gift_id))


@router.post(
    "/gifts/{gift_id}/confirmed", operation_id="confirmGift", response_model=schemas.GiftBody
)
async def confirmed(gift_id: UUID, caller: SignedInCaller, parts: ApiParts) -> schemas.GiftBody:
    """Say that the caller has confirmed with their bank, so that it is looked at right now."""
    body = await _read(parts, caller, str(gift_id))
    if body.state in UNDER_WAY:
        await hear_confirmation(parts, gift_workflow_id(body.id), subject_id=body.id)
        body = await _read(parts, caller, body.id)
    return body


@router.get("/me/gifts", operation_id="listMyGifts", response_model=schemas.ReceivedGiftPage)
async def received(
    query: Annotated[PageQuery, Query()], caller: SignedInCaller, parts: ApiParts
) -> schemas.ReceivedGiftPage:
    """What the caller was given, the newest first, with what was said."""
    now = parts.now()
    after = keyset_from(query.cursor) if query.cursor is not None else None
    found, last = await list_received(
        parts.reads, caller=caller.caller, after=after, limit=query.limit
    )
    return schemas.ReceivedGiftPage(
        data=[
            schemas.ReceivedGiftBody(giver=person_body(parts, each.person, now), **_fields(each))
            for each in found
        ],
        next_cursor=cursor_for(last) if last else None,
        has_more=last is not None,
    )


@router.post(
    "/me/complimentary",
    operation_id="giveCompliment",
    status_code=201,
    response_model=schemas.ComplimentBody,
)
async def compliment(
    wish: schemas.ComplimentRequest,
    caller: SignedInCaller,
    key: IdempotencyKeyRequired,
    parts: ApiParts,
) -> schemas.ComplimentBody:
    """Give somebody days of a tier of one's own, for nothing. It ends by itself."""
    async with async_transaction(parts.engine) as session:
        creator = await load_caller(session, caller.caller, lock=True)
        gift = await session.run_sync(
            give_compliment,
            Compliment(
                id=derived_id("gift", creator.id, key),
                creator_id=creator.id,
                recipient=wish.recipient,
                tier_id=wish.tier_id,
                days=wish.days,
                note=wish.note,
                at=parts.now(),
            ),
        )
    return schemas.ComplimentBody(
        id=gift.id,
        recipient_id=gift.recipient_id,
        tier_id=gift.tier_id,
        state=GiftState(gift.state),
        given_at=gift.given_at,
    )


@router.get(
    "/me/complimentary", operation_id="listMyCompliments", response_model=schemas.ComplimentPage
)
async def compliments(
    query: Annotated[PageQuery, Query()], caller: SignedInCaller, parts: ApiParts
) -> schemas.ComplimentPage:
    """What the caller gave for nothing, the newest first."""
    now = parts.now()
    after = keyset_from(query.cursor) if query.cursor is not None else None
    found, last = await list_compliments(
        parts.reads, caller=caller.caller, after=after, limit=query.limit
    )
    return schemas.ComplimentPage(
        data=[
            schemas.GivenComplimentBody(
                recipient=person_body(parts, each.person, now), **_fields(each)
            )
            for each in found
        ],
        next_cursor=cursor_for(last) if last else None,
        has_more=last is not None,
    )


@router.delete("/me/complimentary/{gift_id}", operation_id="withdrawCompliment", status_code=204)
async def withdraw_compliment(gift_id: UUID, caller: SignedInCaller, parts: ApiParts) -> None:
    """Take back what one gave for nothing; access ends at once. Again it changes nothing."""
    async with async_transaction(parts.engine) as session:
        creator = await load_caller(session, caller.caller)
        was_given = await session.run_sync(
            withdraw, str(gift_id), creator_id=creator.id, at=parts.now()
        )
    if not was_given:
        raise _no_such_gift()


def _no_such_gift() -> NotFound:
    return NotFound("There is no such gift.", code="gift_not_found")


def _fields(listed: ListedGift) -> dict[str, Any]:
    return {name: getattr(listed, name) for name in schemas.ListedGiftBody.model_fields}


async def _read(parts: Parts, caller: SignedIn, gift_id: str) -> schemas.GiftBody:
    async with async_transaction(parts.engine) as session:
        giver = await load_caller(session, caller.caller)
        gift = await own_gift(session, giver_id=giver.id, gift_id=gift_id)
        if gift is None:
            raise _no_such_gift()
        charge = await latest_charge(session, gift.id)
    return schemas.GiftBody(
        id=gift.id,
        creator_id=gift.creator_id,
        recipient_id=gift.recipient_id,
        tier_id=gift.tier_id,
        months=gift.months,
        note=gift.note,
        state=GiftState(gift.state),
        payment=payment_body(charge, amount_minor=gift.price_minor, currency=gift.currency),
        created_at=gift.created_at,
        given_at=gift.given_at,
    )
