"""Payouts for staff: those that wait, and what holds for one creator's money."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from api import API_PREFIX
from api.admin import payout_schemas as schemas
from api.admin.desk import AdminDesk, Desk, StaffDesk
from api.payouts.views import payout_fields
from api.problems import PROBLEMS
from domain.paging import Keyset, cursor_for, keyset_from
from domain.payouts.review import ReviewReason
from infra.db import async_transaction
from infra.queries.admin import money as acts
from infra.queries.payouts import reading
from workflows.payouts.start import tell_of_decision

router = APIRouter(prefix=f"{API_PREFIX}/admin", tags=["admin"], responses=PROBLEMS)


@router.get("/payouts", operation_id="listPayouts")
async def list_payouts(
    query: Annotated[schemas.PayoutQuery, Query()], desk: StaffDesk
) -> schemas.StaffPayoutPage:
    """Payouts in one state (in review, unless asked otherwise), the longest waiting first."""
    after = keyset_from(query.cursor) if query.cursor is not None else None
    payouts, has_more = await reading.payouts_in(
        desk.parts.reads, query.state, limit=query.limit, after=after
    )
    last = payouts[-1] if has_more else None
    return schemas.StaffPayoutPage(
        data=[_body(each) for each in payouts],
        next_cursor=cursor_for(Keyset(last.created_at, last.id)) if last else None,
        has_more=has_more,
    )


@router.post("/payouts/{payout_id}/approve", operation_id="approvePayout")
async def approve(
    payout_id: UUID, why: schemas.PayoutApproval, desk: AdminDesk
) -> schemas.StaffPayoutBody:
    """Let a payout go that waits in review. For admins with a fresh proof; repeating is safe.

    409 if somebody else has decided otherwise meanwhile.
    """
    return await _decide(desk, payout_id, approved=True, note=why.note)


@router.post("/payouts/{payout_id}/reject", operation_id="rejectPayout")
async def reject(
    payout_id: UUID, why: schemas.PayoutRejection, desk: AdminDesk
) -> schemas.StaffPayoutBody:
    """Release a payout that waits in review: its amount is available again. For admins with a
    fresh proof; repeating is safe.

    To keep further ones from being made, block the creator's payouts as well.
    """
    return await _decide(desk, payout_id, approved=False, note=why.note)


@router.put("/creators/{creator_id}/money", operation_id="setCreatorMoney")
async def set_terms(
    creator_id: UUID, terms: schemas.MoneyTerms, desk: AdminDesk
) -> schemas.MoneyTermsBody:
    """Agree on a creator's own fee and wait, for sales from now on, and on what a post of theirs
    may cost at most; block their payouts or open them.

    For admins with a fresh proof, and never on oneself. Audited with what was before.
    """
    async with desk.act_on(str(creator_id), reason=terms.reason) as act:
        await acts.set_terms(
            act,
            acts.Terms(
                fee_bps=terms.fee_bps,
                hold_days=terms.hold_days,
                post_price_minor_max=terms.post_price_minor_max,
                payouts_blocked_reason=terms.payouts_blocked_reason,
            ),
        )
    return await _terms(desk, creator_id)


@router.get("/creators/{creator_id}/money", operation_id="getCreatorMoney")
async def get_terms(creator_id: UUID, desk: StaffDesk) -> schemas.MoneyTermsBody:
    """What holds for a creator's money; null where it is what holds for all."""
    return await _terms(desk, creator_id)


async def _terms(desk: Desk, creator_id: UUID) -> schemas.MoneyTermsBody:
    terms = await acts.find_terms(desk.parts.reads, str(creator_id))
    return schemas.MoneyTermsBody(
        creator_id=str(creator_id),
        fee_bps=terms.fee_bps,
        hold_days=terms.hold_days,
        post_price_minor_max=terms.post_price_minor_max,
        payouts_blocked_reason=terms.payouts_blocked_reason,
    )


async def _decide(
    desk: Desk, payout_id: UUID, *, approved: bool, note: str
) -> schemas.StaffPayoutBody:
    """The row first; the run is told, and looks by itself within a day where it was not."""
    wanted = str(payout_id)
    async with async_transaction(desk.parts.engine) as session:
        await acts.decide_payout(
            session,
            desk.caller,
            wanted,
            approved=approved,
            note=note,
            request_id=desk.request_id,
            now=desk.parts.now(),
        )
    telling = tell_of_decision(desk.parts.temporal, wanted)
    await desk.parts.starter.begin(telling, what="payout_decision", payout_id=wanted)
    return _body(await reading.any_payout(desk.parts.reads, wanted))


def _body(payout: reading.PayoutView) -> schemas.StaffPayoutBody:
    return schemas.StaffPayoutBody(
        **payout_fields(payout),
        creator_id=payout.creator_id,
        review_reasons=[ReviewReason(each) for each in payout.review_reasons],
        decided_by=payout.decided_by,
        decided_at=payout.decided_at,
        decision_note=payout.decision_note,
        attention_step=payout.attention_step,
        attention_reason=payout.attention_reason,
    )
