"""What staff do about creators' money. Each act and its audit entry are one transaction of the
caller's."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from domain.access import Caller
from domain.errors import AccessDenied
from infra.models import AuditEntry
from infra.queries import audit
from infra.queries.admin.acts import Act
from infra.queries.admin.users import user_not_found
from infra.queries.callers import load_caller
from infra.queries.ledger import (
    lock_creator_money,
    set_earning_terms,
    set_payouts_blocked,
    set_post_price_max,
)
from infra.queries.payouts.opening import decide_review
from infra.reads import ReadPool

_TERMS = b"""
SELECT m.fee_bps, m.hold_days, m.post_price_minor_max, m.payouts_blocked_reason
FROM users u LEFT JOIN creator_money m ON m.creator_id = u.id
WHERE u.id = %(creator_id)s::uuid AND u.deleted_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for one creator; None: what holds for all."""

    fee_bps: int | None
    hold_days: int | None
    post_price_minor_max: int | None
    payouts_blocked_reason: str | None


async def find_terms(reads: ReadPool, creator_id: str) -> Terms:
    """
    Raises:
        NotFound: `user_not_found`.
    """
    row = await reads.fetch_one(_TERMS, {"creator_id": creator_id})
    if row is None:
        raise user_not_found()
    return Terms(*row)


async def set_terms(act: Act, terms: Terms) -> None:
    """Put these in place of what held before. The entry has both."""

    def write(session: Session) -> None:
        creator_id = act.target.id
        money = lock_creator_money(session, creator_id)
        before = Terms(
            money.fee_bps,
            money.hold_days,
            money.post_price_minor_max,
            money.payouts_blocked_reason,
        )
        if before == terms:
            return
        set_earning_terms(
            session, creator_id=creator_id, fee_bps=terms.fee_bps, hold_days=terms.hold_days
        )
        set_post_price_max(session, creator_id=creator_id, most_minor=terms.post_price_minor_max)
        set_payouts_blocked(session, creator_id=creator_id, reason=terms.payouts_blocked_reason)
        entry = AuditEntry(
            actor_id=act.actor.id,
            actor_name=act.actor.handle,
            action="creator_money.changed",
            subject_type="user",
            subject_id=creator_id,
            request_id=act.request_id,
            detail={"reason": act.reason, "before": asdict(before), "after": asdict(terms)},
        )
        audit.record(session, entry)

    await act.session.run_sync(write)


async def decide_payout(
    session: AsyncSession,
    caller: Caller,
    payout_id: str,
    *,
    approved: bool,
    note: str,
    request_id: str | None,
    now: datetime,
) -> None:
    """Approve or reject a payout in review.

    Raises:
        Unauthenticated: `session_ended`.
        NotFound: `payout_unknown`.
        AccessDenied: `not_on_yourself`.
        Conflict: `payout_not_in_review`.
    """
    actor = await load_caller(session, caller)

    def write(sync: Session) -> None:
        payout, is_news = decide_review(
            sync, payout_id, approved=approved, by=actor.handle, note=note or None, at=now
        )
        if payout.creator_id == actor.id:
            raise AccessDenied("Not on your own payout.", code="not_on_yourself")
        if is_news:
            entry = AuditEntry(
                actor_id=actor.id,
                actor_name=actor.handle,
                action="payout.approved" if approved else "payout.rejected",
                subject_type="payout",
                subject_id=payout_id,
                request_id=request_id,
                detail={"note": note, "creator_id": payout.creator_id},
            )
            audit.record(sync, entry)

    await session.run_sync(write)
