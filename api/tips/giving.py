"""Routes of tips."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from api import API_PREFIX
from api.auth.callers import SignedIn, SignedInCaller
from api.charges.paying import card_to_charge, hear_confirmation, hear_payment
from api.charges.views import payment_body
from api.contract.idempotency import IdempotencyKeyRequired
from api.parts import ApiParts, Parts
from api.portraits import person_body
from api.problems import PROBLEMS
from api.schemas import PageQuery
from api.tips import schemas
from domain.errors import NotFound
from domain.ids import derived_id, tip_workflow_id
from domain.paging import cursor_for, keyset_from
from domain.tips import TipState
from infra.db import async_transaction
from infra.queries.callers import load_caller
from infra.queries.charges.reading import latest_charge
from infra.queries.tips.giving import Gesture, begin_tip, known_tip, list_received, own_tip
from workflows.tips.start import tip_order

router = APIRouter(prefix=API_PREFIX, tags=["tips"], responses=PROBLEMS)

PENDING = 202
"""Begun, and it goes on by itself: ask again."""


@router.post(
    "/creators/{creator_id}/tips",
    operation_id="sendTip",
    response_model=schemas.TipBody,
    responses={PENDING: {"model": schemas.TipBody, "description": "Under way; ask again."}},
)
async def send(
    creator_id: UUID,
    wish: schemas.TipRequest,
    caller: SignedInCaller,
    key: IdempotencyKeyRequired,
    parts: ApiParts,
    response: Response,
) -> schemas.TipBody:
    """Give a creator money, with a word, for one of their posts or for nothing in particular.

    How much may be given in 24 hours grows with the age of the account.
    """
    now = parts.now()
    async with async_transaction(parts.engine) as session:
        fan = await load_caller(session, caller.caller, lock=True)
        gesture = Gesture(
            id=derived_id("tip", fan.id, key),
            creator_id=str(creator_id),
            post_id=wish.post_id,
            amount_minor=wish.amount_minor,
            currency=wish.currency,
            note=wish.note,
            at=now,
        )
        tip = await known_tip(session, fan, gesture)
        if tip is None:
            card = await card_to_charge(
                session, fan_id=fan.id, payment_method_id=wish.payment_method_id, at=now
            )
            tip = await begin_tip(session, fan, gesture, payment_method_id=card.id)
    if TipState(tip.state).is_under_way:
        await hear_payment(parts, tip_order(tip, at=now))
    body = await _read(parts, caller, tip.id)
    if body.state in (TipState.CHARGING, TipState.PROCESSING):
        response.status_code = PENDING
    return body


@router.get("/tips/{tip_id}", operation_id="getTip", response_model=schemas.TipBody)
async def get(tip_id: UUID, caller: SignedInCaller, parts: ApiParts) -> schemas.TipBody:
    """How a tip stands that the caller gave."""
    return await _read(parts, caller, str(tip_id))


@router.post("/tips/{tip_id}/confirmed", operation_id="confirmTip", response_model=schemas.TipBody)
async def confirmed(tip_id: UUID, caller: SignedInCaller, parts: ApiParts) -> schemas.TipBody:
    """Say that the caller has confirmed with their bank, so that it is looked at right now.

    Without it the tip goes on all the same, as soon as Stripe tells of it.
    """
    body = await _read(parts, caller, str(tip_id))
    if body.state.is_under_way:
        await hear_confirmation(parts, tip_workflow_id(body.id), subject_id=body.id)
        body = await _read(parts, caller, body.id)
    return body


@router.get("/me/tips", operation_id="listMyTips")
async def received(
    query: Annotated[PageQuery, Query()], caller: SignedInCaller, parts: ApiParts
) -> schemas.ReceivedTipPage:
    """Tips that the caller was given, the newest first, with what was said."""
    now = parts.now()
    after = keyset_from(query.cursor) if query.cursor is not None else None
    found, last = await list_received(
        parts.reads, caller=caller.caller, after=after, limit=query.limit
    )
    return schemas.ReceivedTipPage(
        data=[
            schemas.ReceivedTipBody(
                id=each.id,
                fan=person_body(parts, each.fan, now),
                post_id=each.post_id,
                amount_minor=each.amount_minor,
                currency=each.currency,
                note=each.note,
                state=each.state,
                sent_at=each.sent_at,
            )
            for each in found
        ],
        next_cursor=cursor_for(last) if last else None,
        has_more=last is not None,
    )


async def _read(parts: Parts, caller: SignedIn, tip_id: str) -> schemas.TipBody:
    async with async_transaction(parts.engine) as session:
        fan = await load_caller(session, caller.caller)
        tip = await own_tip(session, fan_id=fan.id, tip_id=tip_id)
        if tip is None:
            raise NotFound("There is no such tip.", code="tip_not_found")
        charge = await latest_charge(session, tip.id)
    return schemas.TipBody(
        id=tip.id,
        creator_id=tip.creator_id,
        post_id=tip.post_id,
        note=tip.note,
        state=TipState(tip.state),
        payment=payment_body(charge, amount_minor=tip.amount_minor, currency=tip.currency),
        created_at=tip.created_at,
        sent_at=tip.sent_at,
    )
