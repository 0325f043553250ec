"""Routes of unlocks: buy a post or a message for good."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Response
from sqlalchemy.ext.asyncio import AsyncSession

from api import API_PREFIX
from api.auth.callers import SignedIn, SignedInCaller
from api.charges.paying import card_to_charge, hear_confirmation, hear_payment
from api.charges.views import payment_body
from api.contract.idempotency import IdempotencyKeyRequired
from api.parts import ApiParts, Parts
from api.problems import PROBLEMS
from api.unlocks import schemas
from domain.access import Decision, OfferKind
from domain.errors import Conflict, NotFound
from domain.ids import unlock_workflow_id
from domain.unlocks.states import UnlockState
from domain.unlocks.terms import UnlockTerms, check_quote
from infra.db import async_transaction
from infra.models import Unlock
from infra.queries.access.messages import open_message
from infra.queries.access.posts import judge_as_person
from infra.queries.unlocks.buying import Wish, begin_unlock, live_unlock
from infra.queries.unlocks.reading import own_unlock
from workflows.unlocks.start import unlock_order

router = APIRouter(prefix=API_PREFIX, tags=["unlocks"], responses=PROBLEMS)

PENDING = 202
"""Begun, and it goes on by itself: ask again."""


@router.post(
    "/posts/{post_id}/unlock",
    operation_id="unlockPost",
    response_model=schemas.UnlockBody,
    responses={PENDING: {"model": schemas.UnlockBody, "description": "Under way; ask again."}},
)
async def unlock(
    post_id: UUID,
    wish: schemas.UnlockRequest,
    caller: SignedInCaller,
    _key: IdempotencyKeyRequired,
    parts: ApiParts,
    response: Response,
) -> schemas.UnlockBody:
    """Buy a paid post with a card. It stays open to the caller for good.

    Two devices that ask at once share one purchase, and one payment. A price that is not the one
    named is refused (`price_changed`). After `declined` ask again, with another card or the same.
    Who deletes it between the payment and the opening has the money sent back.
    """
    judged = await judge_as_person(
        parts.reads, caller=caller.caller, post_id=str(post_id), now=parts.now()
    )
    item = Item("post", judged.owner_id, judged.decision, post_id=judged.id)
    return await _buy(parts, caller, item, wish, response)


@router.post(
    "/messages/{message_id}/unlock",
    operation_id="unlockMessage",
    response_model=schemas.UnlockBody,
    responses={PENDING: {"model": schemas.UnlockBody, "description": "Under way; ask again."}},
)
async def unlock_message(
    message_id: UUID,
    wish: schemas.UnlockRequest,
    caller: SignedInCaller,
    _key: IdempotencyKeyRequired,
    parts: ApiParts,
    response: Response,
) -> schemas.UnlockBody:
    """Buy a message that the caller got and that has a price, as a post is bought."""
    opened = await open_message(
        parts.reads, caller=caller.caller, message_id=str(message_id), now=parts.now()
    )
    item = Item("message", opened.owner_id, opened.decision, message_id=opened.id)
    return await _buy(parts, caller, item, wish, response)


@dataclass(frozen=True, slots=True)
class Item:
    """A post or a message, with what was decided about it."""

    name: str
    owner_id: str
    decision: Decision
    post_id: str | None = None
    message_id: str | None = None


async def _buy(
    parts: Parts,
    caller: SignedIn,
    item: Item,
    wish: schemas.UnlockRequest,
    response: Response,
) -> schemas.UnlockBody:
    now = parts.now()
    if item.decision.allowed:
        return await _bought_already(parts, caller, item)
    terms = _terms_of(item)
    # The decision has just found that the caller's account and session are open.
    fan_id = caller.user_id
    async with async_transaction(parts.engine) as session:
        begun = await live_unlock(
            session, fan_id=fan_id, post_id=item.post_id, message_id=item.message_id
        )
        if begun is None or UnlockState(begun.state).may_be_tried:
            begun = await _begin(session, item, wish, terms, fan_id=fan_id, at=now)
    if UnlockState(begun.state).is_under_way:
        await hear_payment(parts, unlock_order(begun, at=now))
    body = await _read(parts, caller, begun.id)
    if body.state in (UnlockState.CHARGING, UnlockState.PROCESSING):
        response.status_code = PENDING
    return body


async def _begin(
    session: AsyncSession,
    item: Item,
    wish: schemas.UnlockRequest,
    terms: UnlockTerms,
    *,
    fan_id: str,
    at: datetime,
) -> Unlock:
    check_quote(terms, price_minor=wish.price_minor, currency=wish.currency)
    card = await card_to_charge(
        session, fan_id=fan_id, payment_method_id=wish.payment_method_id, at=at
    )
    return await begin_unlock(
        session,
        Wish(
            fan_id=fan_id,
            creator_id=item.owner_id,
            post_id=item.post_id,
            message_id=item.message_id,
            terms=terms,
            payment_method_id=card.id,
            at=at,
        ),
    )


@router.get("/unlocks/{unlock_id}", operation_id="getUnlock", response_model=schemas.UnlockBody)
async def get(unlock_id: UUID, caller: SignedInCaller, parts: ApiParts) -> schemas.UnlockBody:
    """How a purchase of the caller's own stands."""
    return await _read(parts, caller, str(unlock_id))


@router.post(
    "/unlocks/{unlock_id}/confirmed",
    operation_id="confirmUnlock",
    response_model=schemas.UnlockBody,
)
async def confirmed(unlock_id: UUID, caller: SignedInCaller, parts: ApiParts) -> schemas.UnlockBody:
    """Say that the caller has confirmed with their bank, so that it is looked at right now.

    Without it the purchase goes on all the same, as soon as Stripe tells of it.
    """
    body = await _read(parts, caller, str(unlock_id))
    if body.state.is_under_way:
        workflow_id = unlock_workflow_id(caller.user_id, body.item_id)
        await hear_confirmation(parts, workflow_id, subject_id=body.id)
        body = await _read(parts, caller, body.id)
    return body


def _terms_of(item: Item) -> UnlockTerms:
    for offer in item.decision.offers:
        if offer.kind is OfferKind.UNLOCK and offer.price_minor and offer.currency:
            list_minor = offer.list_minor or offer.price_minor
            return UnlockTerms(list_minor, list_minor - offer.price_minor, offer.currency)
    raise Conflict(f"This {item.name} is not sold by itself.", code="not_for_sale")


async def _bought_already(parts: Parts, caller: SignedIn, item: Item) -> schemas.UnlockBody:
    """The purchase that opened it. Whoever may see it without one has nothing to buy."""
    async with async_transaction(parts.engine) as session:
        unlock = await live_unlock(
            session, fan_id=caller.user_id, post_id=item.post_id, message_id=item.message_id
        )
    if unlock is None:
        raise Conflict(f"This {item.name} is open to you already.", code="open_already")
    return await _read(parts, caller, unlock.id)


async def _read(parts: Parts, caller: SignedIn, unlock_id: str) -> schemas.UnlockBody:
    unlock = await own_unlock(parts.reads, caller=caller.caller, unlock_id=unlock_id)
    if unlock is None:
        raise NotFound("There is no such purchase.", code="unlock_not_found")
    return schemas.UnlockBody(
        id=unlock.id,
        post_id=unlock.post_id,
        message_id=unlock.message_id,
        creator_id=unlock.creator_id,
        state=unlock.state,
        list_minor=unlock.list_minor,
        discount_minor=unlock.discount_minor,
        payment=payment_body(
            unlock.last_try, amount_minor=unlock.amount_minor, currency=unlock.currency
        ),
        created_at=unlock.created_at,
        unlocked_at=unlock.unlocked_at,
        ended_at=unlock.ended_at,
        ended_reason=unlock.ended_reason,
    )
