"""Routes of payments: what one paid, and what one was paid."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api import API_PREFIX
from api.auth.callers import SignedInCaller
from api.charges import schemas
from api.charges.views import charge_fields
from api.parts import ApiParts
from api.portraits import person_body
from api.problems import PROBLEMS
from api.schemas import PageQuery
from domain.paging import cursor_for, keyset_from
from infra.queries.charges.reading import list_payments, list_sales

router = APIRouter(prefix=API_PREFIX, tags=["payments"], responses=PROBLEMS)


@router.get("/me/payments", operation_id="listMyPayments")
async def get_payments(
    query: Annotated[PageQuery, Query()], caller: SignedInCaller, parts: ApiParts
) -> schemas.PaymentPage:
    """What the caller paid or tried to pay, the newest first: unlocks, tips, gifts and periods
    of subscriptions, with what came back of each."""
    now = parts.now()
    after = keyset_from(query.cursor) if query.cursor is not None else None
    found, last = await list_payments(
        parts.reads, caller=caller.caller, after=after, limit=query.limit
    )
    return schemas.PaymentPage(
        data=[
            schemas.OwnPaymentBody(
                creator=person_body(parts, each.person, now), **charge_fields(each)
            )
            for each in found
        ],
        next_cursor=cursor_for(last) if last else None,
        has_more=last is not None,
    )


@router.get("/me/sales", operation_id="listMySales")
async def get_sales(
    query: Annotated[PageQuery, Query()], caller: SignedInCaller, parts: ApiParts
) -> schemas.SalePage:
    """What others paid the caller, the newest first. The creator's share of it is in
    `GET /me/earnings`."""
    now = parts.now()
    after = keyset_from(query.cursor) if query.cursor is not None else None
    found, last = await list_sales(
        parts.reads, caller=caller.caller, after=after, limit=query.limit
    )
    return schemas.SalePage(
        data=[
            schemas.SaleBody(fan=person_body(parts, each.person, now), **charge_fields(each))
            for each in found
        ],
        next_cursor=cursor_for(last) if last else None,
        has_more=last is not None,
    )
