"""Routes of refunds of what one paid, and of what one was paid."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header

from api import API_PREFIX
from api.auth.callers import SignedInCaller
from api.auth.origin import RequestOrigin
from api.auth.standing import FreshCaller
from api.parts import ApiParts, Parts
from api.problems import PROBLEMS
from api.refunds import schemas
from domain.ids import derived_id
from domain.refunds import RefundReason, RefundState, Requester
from infra.db import async_transaction
from infra.models import Refund
from infra.queries.admin.refunds import refund_own_sale
from infra.queries.refunds import NewRefund
from infra.queries.refunds.reading import RefundView, own_refunds_of, refund_view
from workflows.refunds.start import refund_now

router = APIRouter(prefix=f"{API_PREFIX}/me", tags=["payments"], responses=PROBLEMS)

RefundKey = Annotated[str, Header(min_length=1, max_length=255, include_in_schema=False)]


@router.get("/payments/{charge_id}/refunds", operation_id="listMyPaymentRefunds")
async def of_payment(
    charge_id: UUID, caller: SignedInCaller, parts: ApiParts
) -> schemas.RefundList:
    """What came back of a payment that the caller made, or was made; the oldest first."""
    found = await own_refunds_of(parts.reads, caller.caller, str(charge_id))
    return schemas.RefundList(data=[refund_body(each) for each in found])


@router.post("/sales/{charge_id}/refunds", operation_id="refundMySale", status_code=201)
async def refund_sale(
    charge_id: UUID,
    wish: schemas.SaleRefund,
    caller: SignedInCaller,
    fresh: FreshCaller,
    parts: ApiParts,
    origin: RequestOrigin,
    idempotency_key: RefundKey,
) -> schemas.RefundBody:
    """Give a fan back what they paid the caller, or a part of it.

    For creators with a fresh proof, up to 180 days after the payment. Needs an `Idempotency-Key`:
    the same key means the same refund, however late it comes again. All of it back ends what was
    bought; the creator's share is taken from their earnings, and the platform gives back its own.
    409 `refund_not_covered` where those earnings were paid out already: staff may refund then.
    """
    del fresh  # Asked for, because it refuses everybody else.
    new = NewRefund(
        id=derived_id("refund", caller.user_id, idempotency_key),
        charge_id=str(charge_id),
        amount_minor=wish.amount_minor,
        reason=RefundReason.REQUESTED_BY_CUSTOMER,
        requested_as=Requester.CREATOR,
        requested_by=caller.user_id,
        note=wish.note,
        at=parts.now(),
    )
    async with async_transaction(parts.engine) as session:
        refund = await refund_own_sale(session, caller.caller, new, request_id=origin.request_id)
    return refund_body(await made(parts, refund, asker_id=caller.user_id))


async def made(parts: Parts, refund: Refund, *, asker_id: str) -> RefundView:
    """The refund once Stripe has said something, or as it is after some patience."""
    if refund.state == RefundState.REQUESTED:
        update = refund_now(
            parts.temporal,
            refund.id,
            asker_id=asker_id,
            queue_prefix=parts.settings.task_queue_prefix,
            patience=parts.starter.patience,
        )
        await parts.starter.hear(update, what="refund", refund_id=refund.id)
    return await refund_view(parts.reads, refund.id)


def refund_body(refund: RefundView) -> schemas.RefundBody:
    return schemas.RefundBody.model_validate(own_fields(refund))


def own_fields(refund: RefundView) -> dict[str, Any]:
    values = asdict(refund)
    return {name: values[name] for name in schemas.RefundBody.model_fields}
