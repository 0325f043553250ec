"""Routes of subscriptions: to a creator, one's own, and those to oneself."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from sqlalchemy.ext.asyncio import AsyncSession

from api import API_PREFIX
from api.auth.callers import SignedInCaller
from api.contract.idempotency import IdempotencyKeyRequired
from api.parts import ApiParts
from api.portraits import person_body
from api.problems import PROBLEMS
from api.schemas import PageQuery
from api.subscriptions import schemas
from api.subscriptions.running import change, hear_beginning, hear_confirmation, read_own
from api.subscriptions.views import listed_fields
from domain.errors import Conflict
from domain.ids import derived_id
from domain.paging import cursor_for, keyset_from
from domain.subscriptions.states import SubscriptionState
from infra.db import async_transaction
from infra.models import PaymentMethod, Subscription, User
from infra.queries.callers import load_caller
from infra.queries.payment_methods import card_query
from infra.queries.payment_methods.declines import refuse_too_many_declines
from infra.queries.subscriptions.beginning import Beginning, begin_subscription
from infra.queries.subscriptions.listing import list_mine, list_subscribers
from infra.queries.tiers.buying import offered
from infra.queries.tiers.reading import shop_of
from workflows.subscriptions.messages import (
    Cancel,
    ChangeTier,
    ConsentToPrice,
    Pause,
    UseNewCard,
)

router = APIRouter(prefix=API_PREFIX, tags=["subscriptions"], responses=PROBLEMS)

Handle = Annotated[str, Path(max_length=64, pattern="^[^\\x00]*$", examples=["mia"])]
PENDING = 202
"""Begun, and it goes on by itself: ask again."""
_MINE = "/me/subscriptions/{subscription_id}"


@router.post(
    "/creators/{handle}/subscription",
    operation_id="subscribe",
    status_code=201,
    response_model=schemas.SubscriptionBody,
    responses={
        PENDING: {"model": schemas.SubscriptionBody, "description": "Under way; ask again."}
    },
)
async def subscribe(
    handle: Handle,
    wish: schemas.SubscribeRequest,
    caller: SignedInCaller,
    key: IdempotencyKeyRequired,
    parts: ApiParts,
    response: Response,
) -> schemas.SubscriptionBody:
    """Subscribe to a tier, and pay for the first period or begin a trial.

    `incomplete` with a `client_secret`: the fan's bank wants them to confirm. `expired`: the card
    was declined, and nothing was taken. 409 `already_subscribed` names the one that lives.
    """
    now = parts.now()
    shop = await shop_of(parts.reads, caller=caller.caller, handle=handle.lower(), now=now)
    async with async_transaction(parts.engine) as session:
        fan = await load_caller(session, caller.caller, lock=True)
        subscription_id = derived_id("subscription", fan.id, key)
        row = await session.get(Subscription, subscription_id)
        if row is not None:
            _require_same(row, shop.creator_id, wish)
        else:
            await refuse_too_many_declines(session, fan_id=fan.id, at=now)
            card = await _card(session, fan, wish.payment_method_id)
            terms = await session.run_sync(
                offered,
                creator_id=shop.creator_id,
                tier_id=wish.tier_id,
                months=wish.months,
                code=wish.code,
                fan_id=fan.id,
                at=now,
                lock=True,
            )
            beginning = Beginning(
                id=subscription_id, fan_id=fan.id, offered=terms, card=card, at=now
            )
            row = await session.run_sync(begin_subscription, beginning)
    if row.state == SubscriptionState.INCOMPLETE:
        await hear_beginning(parts, row)
    body = await read_own(parts, caller, subscription_id)
    response.headers["location"] = f"{API_PREFIX}/me/subscriptions/{subscription_id}"
    waits_for_fan = body.payment is not None and body.payment.client_secret is not None
    if body.state is SubscriptionState.INCOMPLETE and not waits_for_fan:
        response.status_code = PENDING
    return body


def _require_same(row: Subscription, creator_id: str, wish: schemas.SubscribeRequest) -> None:
    if (row.creator_id, row.tier_id, row.months) != (creator_id, wish.tier_id, wish.months):
        raise Conflict(
            "The same Idempotency-Key came with another subscription.",
            code="idempotency_key_reused",
        )


async def _card(
    session: AsyncSession, fan: User, payment_method_id: str | None
) -> PaymentMethod | None:
    """The card that was asked for, or the default one; what is free needs none."""
    card = await session.scalar(card_query(fan.id, payment_method_id))
    if card is None and payment_method_id is not None:
        raise Conflict("You have no such card.", code="card_missing")
    return card


@router.get(
    "/me/subscriptions",
    operation_id="listMySubscriptions",
    response_model=schemas.SubscriptionPage,
)
async def mine(
    query: Annotated[PageQuery, Query()], caller: SignedInCaller, parts: ApiParts
) -> schemas.SubscriptionPage:
    """The caller's subscriptions, the newest first, those that are over among them."""
    now = parts.now()
    after = keyset_from(query.cursor) if query.cursor is not None else None
    found, last = await list_mine(parts.reads, caller=caller.caller, after=after, limit=query.limit)
    return schemas.SubscriptionPage(
        data=[
            schemas.MySubscriptionBody(
                creator=person_body(parts, each.person, now), **listed_fields(each)
            )
            for each in found
        ],
        next_cursor=cursor_for(last) if last else None,
        has_more=last is not None,
    )


@router.get(
    "/me/subscribers", operation_id="listMySubscribers", response_model=schemas.SubscriberPage
)
async def subscribers(
    query: Annotated[PageQuery, Query()], caller: SignedInCaller, parts: ApiParts
) -> schemas.SubscriberPage:
    """Who subscribes to the caller, or did, the newest first."""
    now = parts.now()
    after = keyset_from(query.cursor) if query.cursor is not None else None
    found, last = await list_subscribers(
        parts.reads, caller=caller.caller, after=after, limit=query.limit
    )
    return schemas.SubscriberPage(
        data=[
            schemas.SubscriberBody(fan=person_body(parts, each.person, now), **listed_fields(each))
            for each in found
        ],
        next_cursor=cursor_for(last) if last else None,
        has_more=last is not None,
    )


@router.get(_MINE, operation_id="getMySubscription", response_model=schemas.SubscriptionBody)
async def get(
    subscription_id: UUID, caller: SignedInCaller, parts: ApiParts
) -> schemas.SubscriptionBody:
    """A subscription of the caller's, with everything that has happened to it."""
    return await read_own(parts, caller, str(subscription_id))


@router.post(
    f"{_MINE}/confirmed",
    operation_id="confirmSubscription",
    response_model=schemas.SubscriptionBody,
)
async def confirmed(
    subscription_id: UUID, caller: SignedInCaller, parts: ApiParts
) -> schemas.SubscriptionBody:
    """Say that the caller has confirmed with their bank, so that it is looked at right now.

    Without it the subscription goes on all the same, as soon as Stripe tells of it.
    """
    body = await read_own(parts, caller, str(subscription_id))
    if not body.state.is_final:
        await hear_confirmation(parts, body)
        body = await read_own(parts, caller, body.id)
    return body


@router.post(
    f"{_MINE}/cancel", operation_id="cancelSubscription", response_model=schemas.SubscriptionBody
)
async def cancel(
    subscription_id: UUID,
    wish: schemas.CancelRequest,
    caller: SignedInCaller,
    parts: ApiParts,
) -> schemas.SubscriptionBody:
    """End it with the period that is paid, or at once. Where no period runs, it ends at once."""
    return await change(parts, caller, str(subscription_id), Cancel(now=wish.now))


@router.post(
    f"{_MINE}/resume", operation_id="resumeSubscription", response_model=schemas.SubscriptionBody
)
async def resume(
    subscription_id: UUID, caller: SignedInCaller, parts: ApiParts
) -> schemas.SubscriptionBody:
    """Take a cancellation or a planned pause back, or end a pause now, which pays a period."""
    return await change(parts, caller, str(subscription_id), None)


@router.post(
    f"{_MINE}/pause", operation_id="pauseSubscription", response_model=schemas.SubscriptionBody
)
async def pause(
    subscription_id: UUID, wish: schemas.PauseRequest, caller: SignedInCaller, parts: ApiParts
) -> schemas.SubscriptionBody:
    """Take nothing after the period that is paid, and open nothing, until a moment."""
    return await change(parts, caller, str(subscription_id), Pause(wish.resume_at))


@router.post(
    f"{_MINE}/tier", operation_id="changeSubscriptionTier", response_model=schemas.SubscriptionBody
)
async def change_tier(
    subscription_id: UUID,
    wish: schemas.ChangeTierRequest,
    caller: SignedInCaller,
    parts: ApiParts,
) -> schemas.SubscriptionBody:
    """Go to a higher tier now, for the difference; or to a lower one with the next period."""
    return await change(parts, caller, str(subscription_id), ChangeTier(wish.tier_id))


@router.post(
    f"{_MINE}/card", operation_id="useCardForSubscription", response_model=schemas.SubscriptionBody
)
async def use_card(
    subscription_id: UUID, wish: schemas.CardRequest, caller: SignedInCaller, parts: ApiParts
) -> schemas.SubscriptionBody:
    """Pay with this card from now on. What is past due is tried with it at once."""
    return await change(parts, caller, str(subscription_id), UseNewCard(wish.payment_method_id))


@router.post(
    f"{_MINE}/consent",
    operation_id="consentToPrice",
    response_model=schemas.SubscriptionBody,
)
async def consent(
    subscription_id: UUID, wish: schemas.ConsentRequest, caller: SignedInCaller, parts: ApiParts
) -> schemas.SubscriptionBody:
    """Agree to a higher price that one was mailed of."""
    return await change(parts, caller, str(subscription_id), ConsentToPrice(wish.price_minor))
