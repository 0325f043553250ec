"""Refunds and disputes, for staff."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from api import API_PREFIX
from api.admin.desk import AdminDesk, Desk, StaffDesk
from api.problems import PROBLEMS
from api.refunds import schemas
from api.refunds.items import RefundKey, made
from domain.disputes import Answer
from domain.ids import derived_id
from domain.paging import Keyset, cursor_for, keyset_from
from domain.refunds import RefundReason, Requester
from infra.db import async_transaction
from infra.queries.admin import refunds as acts
from infra.queries.refunds import NewRefund, reading
from workflows.disputes.start import follow_dispute

router = APIRouter(prefix=f"{API_PREFIX}/admin", tags=["admin"], responses=PROBLEMS)


@router.post("/charges/{charge_id}/refunds", operation_id="refundCharge", status_code=201)
async def refund_charge(
    charge_id: UUID, wish: schemas.StaffRefund, desk: AdminDesk, idempotency_key: RefundKey
) -> schemas.StaffRefundBody:
    """Give back a payment or a part of it. For admins with a fresh proof, and never of one's own.

    Needs an `Idempotency-Key`: the same key means the same refund. 409 `charge_disputed` while
    the fan's bank claims it, and `refund_exceeds_charge` with what is left.
    """
    new = NewRefund(
        id=derived_id("refund", desk.staff.user_id, idempotency_key),
        charge_id=str(charge_id),
        amount_minor=wish.amount_minor,
        reason=RefundReason(wish.reason),
        requested_as=Requester.STAFF,
        requested_by=desk.staff.user_id,
        note=wish.note,
        at=desk.parts.now(),
    )
    async with async_transaction(desk.parts.engine) as session:
        refund = await acts.refund_as_staff(session, desk.caller, new, request_id=desk.request_id)
    return _refund(await made(desk.parts, refund, asker_id=desk.staff.user_id))


@router.get("/charges/{charge_id}/refunds", operation_id="listChargeRefunds")
async def list_of_charge(charge_id: UUID, desk: StaffDesk) -> schemas.StaffRefundList:
    """Refunds of one payment, the oldest first."""
    found = await reading.refunds_of(desk.parts.reads, str(charge_id))
    return schemas.StaffRefundList(data=[_refund(each) for each in found])


@router.get("/refunds", operation_id="listRefunds")
async def list_refunds(
    query: Annotated[schemas.RefundQuery, Query()], desk: StaffDesk
) -> schemas.StaffRefundPage:
    """Refunds, the newest first; in one state, if one is named."""
    after = keyset_from(query.cursor) if query.cursor is not None else None
    found, has_more = await reading.list_refunds(
        desk.parts.reads, query.state, limit=query.limit, after=after
    )
    last = found[-1] if has_more else None
    return schemas.StaffRefundPage(
        data=[_refund(each) for each in found],
        next_cursor=cursor_for(Keyset(last.created_at, last.id)) if last else None,
        has_more=has_more,
    )


@router.get("/refunds/{refund_id}", operation_id="getRefund")
async def get_refund(refund_id: UUID, desk: StaffDesk) -> schemas.StaffRefundBody:
    """One refund, and what became of it."""
    return _refund(await reading.refund_view(desk.parts.reads, str(refund_id)))


@router.get("/disputes", operation_id="listDisputes")
async def list_disputes(
    query: Annotated[schemas.DisputeQuery, Query()], desk: StaffDesk
) -> schemas.DisputePage:
    """Disputes that are open, unless asked otherwise, the newest first."""
    after = keyset_from(query.cursor) if query.cursor is not None else None
    found, has_more = await reading.list_disputes(
        desk.parts.reads, only_open=query.only_open, limit=query.limit, after=after
    )
    last = found[-1] if has_more else None
    names = schemas.DisputeBody.model_fields
    return schemas.DisputePage(
        data=[
            schemas.DisputeBody.model_validate(
                {name: value for name, value in asdict(each).items() if name in names}
            )
            for each in found
        ],
        next_cursor=cursor_for(Keyset(last.opened_at, last.id)) if last else None,
        has_more=has_more,
    )


@router.get("/disputes/{dispute_id}", operation_id="getDispute")
async def get_dispute(dispute_id: UUID, desk: StaffDesk) -> schemas.DisputeDetailBody:
    """One dispute, with the evidence for it. Audited as `dispute.viewed`."""
    body = await _dispute(desk, str(dispute_id))
    await desk.note_look("dispute.viewed", subject_type="dispute", subject_id=body.id)
    return body


@router.post("/disputes/{dispute_id}/submit", operation_id="submitDisputeEvidence")
async def submit(
    dispute_id: UUID, why: schemas.DisputeDecision, desk: AdminDesk
) -> schemas.DisputeDetailBody:
    """Have the evidence submitted now; a bank takes it once. For admins with a fresh proof."""
    return await _decide(desk, dispute_id, Answer.SUBMIT, why.note)


@router.post("/disputes/{dispute_id}/accept", operation_id="acceptDispute")
async def accept(
    dispute_id: UUID, why: schemas.DisputeDecision, desk: AdminDesk
) -> schemas.DisputeDetailBody:
    """Let the fan have the money; there is no way back. For admins with a fresh proof.

    An inquiry is not accepted: refund the payment instead.
    """
    return await _decide(desk, dispute_id, Answer.ACCEPT, why.note)


async def _decide(
    desk: Desk, dispute_id: UUID, answer: Answer, note: str
) -> schemas.DisputeDetailBody:
    """The row first; the run is told, by the sweep of refunds where it was not."""
    wanted = str(dispute_id)
    async with async_transaction(desk.parts.engine) as session:
        stripe_id = await acts.decide_dispute(
            session,
            desk.caller,
            wanted,
            answer,
            note=note,
            request_id=desk.request_id,
            at=desk.parts.now(),
        )
    telling = follow_dispute(
        desk.parts.temporal,
        stripe_id,
        queue_prefix=desk.parts.settings.task_queue_prefix,
        event_type="decided",
    )
    await desk.parts.starter.begin(telling, what="dispute_decision", dispute_id=wanted)
    return await _dispute(desk, wanted)


async def _dispute(desk: Desk, dispute_id: str) -> schemas.DisputeDetailBody:
    found = await reading.dispute_view(desk.parts.reads, dispute_id)
    return schemas.DisputeDetailBody.model_validate(asdict(found))


def _refund(refund: reading.RefundView) -> schemas.StaffRefundBody:
    return schemas.StaffRefundBody.model_validate(asdict(refund))
