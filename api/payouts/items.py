"""Routes of a creator's balance and payouts."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from api import API_PREFIX
from api.auth.callers import SignedInCaller
from api.auth.standing import FreshCaller
from api.contract.idempotency import IdempotencyKeyRequired
from api.parts import ApiParts
from api.payouts import schemas
from api.payouts.views import balance_body, payout_body
from api.problems import PROBLEMS
from api.schemas import PageQuery
from domain.ids import derived_id
from domain.paging import cursor_for, keyset_from
from infra.db import async_transaction
from infra.queries.callers import load_caller
from infra.queries.creators.settings import creator_row
from infra.queries.payouts import opening, reading
from workflows.payouts.messages import PayoutOrder
from workflows.payouts.start import start_payout

router = APIRouter(prefix=f"{API_PREFIX}/me", tags=["payouts"], responses=PROBLEMS)


@router.get("/balance", operation_id="getMyBalance")
async def get_balance(caller: SignedInCaller, parts: ApiParts) -> schemas.BalancesBody:
    """What the caller has earned, by currency, and when what is pending becomes available."""
    balances = await reading.own_balances(parts.reads, caller.caller)
    return schemas.BalancesBody(data=[balance_body(each) for each in balances])


@router.get("/payouts", operation_id="listMyPayouts")
async def list_payouts(
    query: Annotated[PageQuery, Query()], caller: SignedInCaller, parts: ApiParts
) -> schemas.PayoutPage:
    """The caller's payouts, newest first."""
    after = keyset_from(query.cursor) if query.cursor is not None else None
    payouts, last = await reading.own_payouts(
        parts.reads, caller.caller, limit=query.limit, after=after
    )
    return schemas.PayoutPage(
        data=[payout_body(each) for each in payouts],
        next_cursor=cursor_for(last) if last else None,
        has_more=last is not None,
    )


@router.get("/payouts/{payout_id}", operation_id="getMyPayout")
async def get_payout(
    payout_id: UUID, caller: SignedInCaller, parts: ApiParts
) -> schemas.PayoutBody:
    """One of the caller's payouts."""
    return payout_body(await reading.own_payout(parts.reads, caller.caller, str(payout_id)))


@router.post("/payouts", operation_id="requestPayout", status_code=202)
async def request_payout(
    wish: schemas.PayoutCreate,
    response: Response,
    fresh: FreshCaller,
    caller: SignedInCaller,
    parts: ApiParts,
    idempotency_key: IdempotencyKeyRequired,
) -> schemas.PayoutBody:
    """Be paid out now all that is available, and not wait for the weekly payout.

    For creators with a fresh proof. Needs an `Idempotency-Key`: the same key means the same
    payout, however late it comes again. 409 with the reason where there is no payout now, such
    as `below_payout_minimum`. The first one, and large ones, are looked at by staff.
    """
    del fresh  # Asked for, because it refuses everybody else.
    # Of the caller and the key: who sends it again after its answer was forgotten gets the first.
    payout_id = derived_id("payout", caller.user_id, idempotency_key)
    now = parts.now()
    async with async_transaction(parts.engine) as session:
        user = await load_caller(session, caller.caller)
        await creator_row(session, user)
        await session.run_sync(
            lambda sync: opening.ask_for_payout(
                sync, payout_id=payout_id, creator_id=user.id, currency=wish.currency, at=now
            )
        )
    order = PayoutOrder(payout_id, caller.user_id)
    start = start_payout(parts.temporal, order, queue_prefix=parts.settings.task_queue_prefix)
    await parts.starter.begin(start, what="payout", payout_id=payout_id)
    response.headers["location"] = f"{API_PREFIX}/me/payouts/{payout_id}"
    return payout_body(await reading.own_payout(parts.reads, caller.caller, payout_id))
