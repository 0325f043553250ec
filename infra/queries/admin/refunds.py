"""What staff and creators do about refunds and disputes. Each act and its audit entry are one
transaction of the caller's."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from domain.access import Caller
from domain.disputes import Answer
from domain.errors import AccessDenied, Conflict, NotFound
from domain.refunds import RefundState, Requester, check_creator_may_refund
from infra.models import AuditEntry, Charge, Refund, User
from infra.queries import audit, disputes, ledger, refunds
from infra.queries.callers import load_caller
from infra.queries.charges import charge_of
from infra.queries.refunds import NewRefund


async def refund_as_staff(
    session: AsyncSession, caller: Caller, wish: NewRefund, *, request_id: str | None
) -> Refund:
    """Ask for a refund of anybody's payment but one's own.

    Raises:
        Unauthenticated: `session_ended`.
        NotFound: `charge_unknown`.
        AccessDenied: `not_on_yourself`.
        Conflict, Invalid: see `request_refund`.
    """
    actor = await load_caller(session, caller)

    def write(sync: Session) -> Refund:
        charge = charge_of(sync, wish.charge_id)
        if actor.id in (charge.fan_id, charge.creator_id):
            raise AccessDenied("Not on your own payment.", code="not_on_yourself")
        return _request(sync, actor, charge, wish, request_id)

    return await session.run_sync(write)


async def refund_own_sale(
    session: AsyncSession, caller: Caller, wish: NewRefund, *, request_id: str | None
) -> Refund:
    """Ask for a refund of what the caller was paid.

    Raises:
        Unauthenticated: `session_ended`.
        NotFound: `charge_unknown`; also where it was somebody else who was paid.
        AccessDenied: `sale_too_old`.
        Conflict: `refund_not_covered`.
        Conflict, Invalid: see `request_refund`.
    """
    actor = await load_caller(session, caller)

    def write(sync: Session) -> Refund:
        charge = charge_of(sync, wish.charge_id)
        if charge.creator_id != actor.id:
            raise NotFound("There is no such payment.", code="charge_unknown")
        if charge.paid_at is not None:
            check_creator_may_refund(charge.paid_at, wish.at)
        # A payout looks for refunds under this lock, too: one of both sees the other.
        ledger.lock_creator_money(sync, actor.id)
        refund = _request(sync, actor, charge, wish, request_id)
        if refund.state == RefundState.REQUESTED:
            _require_covered(sync, refund, creator_id=actor.id)
        return refund

    return await session.run_sync(write)


def _require_covered(session: Session, refund: Refund, *, creator_id: str) -> None:
    """Refuse a refund that its creator asks for and has not the money for, with those that are
    asked for already and not posted. Otherwise who was paid out could have a friend's payment
    sent back, and leave us with the debt.

    Raises:
        Conflict: `refund_not_covered`, with what is missing of the creator's share.
    """
    unposted = session.execute(
        select(Refund.charge_id, func.sum(Refund.amount_minor))
        .join(Charge, Charge.id == Refund.charge_id)
        .where(
            Charge.creator_id == creator_id,
            Refund.currency == refund.currency,
            Refund.state == RefundState.REQUESTED.value,
        )
        .group_by(Refund.charge_id)
    )
    missing = ledger.refunds_shortfall(
        session,
        creator_id=creator_id,
        currency=refund.currency,
        amounts_minor={charge_id: int(amount) for charge_id, amount in unposted},
    )
    if missing:
        raise Conflict(
            "Your earnings do not cover this refund. Ask our staff for it.",
            code="refund_not_covered",
            missing_minor=missing,
            currency=refund.currency,
        )


async def decide_dispute(
    session: AsyncSession,
    caller: Caller,
    dispute_id: str,
    answer: Answer,
    *,
    note: str,
    request_id: str | None,
    at: datetime,
) -> str:
    """Decide what is answered to a dispute; returns Stripe's id of it.

    Raises:
        Unauthenticated: `session_ended`.
        NotFound: `dispute_unknown`.
        Conflict: `dispute_answered`, `dispute_decided` or `inquiry_not_accepted`.
    """
    actor = await load_caller(session, caller)

    def write(sync: Session) -> str:
        dispute, is_news = disputes.decide(sync, dispute_id, answer, by=actor.handle, at=at)
        if is_news:
            entry = AuditEntry(
                actor_id=actor.id,
                actor_name=actor.handle,
                action=f"dispute.{answer}",
                subject_type="dispute",
                subject_id=dispute.id,
                request_id=request_id,
                detail={"note": note, "charge_id": dispute.charge_id},
            )
            audit.record(sync, entry)
        return dispute.stripe_dispute_id

    return await session.run_sync(write)


def _request(
    session: Session, actor: User, charge: Charge, wish: NewRefund, request_id: str | None
) -> Refund:
    is_first = session.get(Refund, wish.id) is None
    refund = refunds.request_refund(session, wish)
    if is_first:
        entry = AuditEntry(
            actor_id=actor.id,
            actor_name=actor.handle,
            action="refund.requested",
            subject_type="charge",
            subject_id=charge.id,
            request_id=request_id,
            detail={
                "refund_id": refund.id,
                "as": Requester(wish.requested_as).value,
                "amount_minor": refund.amount_minor,
                "currency": refund.currency,
                "reason": refund.reason,
                "note": refund.note,
            },
        )
        audit.record(session, entry)
    return refund
