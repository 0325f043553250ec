"""Refunds and disputes as they are shown: to a fan and a creator their own, to staff all. One
statement each."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from domain.access import Caller
from domain.disputes import Answer, DisputeState
from domain.errors import NotFound
from domain.paging import Keyset
from domain.refunds import RefundReason, RefundState, Requester
from infra.queries.access.gathering import VIEWER
from infra.queries.callers import session_ended
from infra.queries.disputes.deciding import dispute_unknown
from infra.queries.refunds.making import refund_unknown
from infra.reads import ReadPool, Row

_REFUND = """r.id::text, r.charge_id::text, r.amount_minor, r.currency, r.reason, r.note,
    r.requested_as, q.handle, r.state, r.stripe_refund_id, r.refused_code, r.failure_reason,
    r.created_at, r.posted_at, r.closed_at"""
_REFUNDS = "refunds r LEFT JOIN users q ON q.id = r.requested_by"
_DISPUTE = """d.id::text, d.stripe_dispute_id, d.charge_id::text, c.kind, c.fan_id::text,
    c.creator_id::text, d.amount_minor, d.currency, d.fee_minor, d.state, d.is_inquiry, d.reason,
    d.opened_at, d.evidence_due_by, d.evidence_submitted_at, d.answer, d.answered_by,
    d.answered_at, d.closed_at, d.evidence"""
_DISPUTES = "disputes d JOIN charges c ON c.id = d.charge_id"


def _page_of(alias: str, at: str) -> str:
    return f"""
  AND (%(after_at)s::timestamptz IS NULL
       OR ({alias}.{at}, {alias}.id) < (%(after_at)s::timestamptz, %(after_id)s::uuid))
ORDER BY {alias}.{at} DESC, {alias}.id DESC
LIMIT %(limit)s"""


_ONE_REFUND = f"SELECT {_REFUND} FROM {_REFUNDS} WHERE r.id = %(id)s::uuid".encode()
_REFUND_LIST = f"""
SELECT {_REFUND} FROM {_REFUNDS}
WHERE (%(state)s::text IS NULL OR r.state = %(state)s){_page_of("r", "created_at")}
""".encode()
_OF_CHARGE = f"""
SELECT c.id::text, {_REFUND}
FROM charges c LEFT JOIN ({_REFUNDS}) ON r.charge_id = c.id
WHERE c.id = %(charge_id)s::uuid
ORDER BY r.created_at, r.id
""".encode()
_OF_OWN_CHARGE = f"""
WITH {VIEWER}
SELECT c.id::text, {_REFUND}
FROM viewer v
LEFT JOIN charges c ON c.id = %(charge_id)s::uuid AND v.id IN (c.fan_id, c.creator_id)
LEFT JOIN ({_REFUNDS}) ON r.charge_id = c.id
ORDER BY r.created_at, r.id
""".encode()
_ONE_DISPUTE = f"SELECT {_DISPUTE} FROM {_DISPUTES} WHERE d.id = %(id)s::uuid".encode()
_DISPUTE_LIST = f"""
SELECT {_DISPUTE} FROM {_DISPUTES}
WHERE (NOT %(only_open)s OR d.closed_at IS NULL){_page_of("d", "opened_at")}
""".encode()


@dataclass(frozen=True, slots=True)
class RefundView:
    id: str
    charge_id: str
    amount_minor: int
    currency: str
    reason: RefundReason
    note: str
    requested_as: Requester
    requested_by: str | None
    """A handle."""
    state: RefundState
    stripe_refund_id: str | None
    refused_code: str | None
    failure_reason: str | None
    created_at: datetime
    posted_at: datetime | None
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class DisputeView:
    id: str
    stripe_dispute_id: str
    charge_id: str
    charge_kind: str
    fan_id: str
    creator_id: str
    amount_minor: int
    currency: str
    fee_minor: int
    state: DisputeState
    is_inquiry: bool
    reason: str
    opened_at: datetime
    evidence_due_by: datetime | None
    evidence_submitted_at: datetime | None
    answer: Answer | None
    answered_by: str | None
    answered_at: datetime | None
    closed_at: datetime | None
    evidence: dict[str, str] | None


async def refund_view(reads: ReadPool, refund_id: str) -> RefundView:
    """One, for staff.

    Raises:
        NotFound: `refund_unknown`.
    """
    row = await reads.fetch_one(_ONE_REFUND, {"id": refund_id})
    if row is None:
        raise refund_unknown()
    return _refund(row)


async def list_refunds(
    reads: ReadPool, state: RefundState | None, *, limit: int, after: Keyset | None
) -> tuple[list[RefundView], bool]:
    """For staff, newest first; and whether there are more."""
    params = {**_page(limit, after), "state": state.value if state is not None else None}
    rows = await reads.fetch_all(_REFUND_LIST, params)
    return [_refund(row) for row in rows[:limit]], len(rows) > limit


async def refunds_of(reads: ReadPool, charge_id: str) -> list[RefundView]:
    """All of one charge, for staff, the oldest first.

    Raises:
        NotFound: `charge_unknown`.
    """
    rows = await reads.fetch_all(_OF_CHARGE, {"charge_id": charge_id})
    if not rows:
        raise _charge_unknown()
    return [_refund(row[1:]) for row in rows if row[1] is not None]


async def own_refunds_of(reads: ReadPool, caller: Caller, charge_id: str) -> list[RefundView]:
    """All of one charge that the caller paid or was paid, the oldest first.

    Raises:
        NotFound: `charge_unknown`.
        Unauthenticated: `session_ended`.
    """
    rows = await reads.fetch_all(
        _OF_OWN_CHARGE,
        {
            "viewer_id": caller.user_id,
            "session_id": caller.session_id,
            "charge_id": charge_id,
        },
    )
    if not rows:
        raise session_ended()
    if rows[0][0] is None:
        raise _charge_unknown()
    return [_refund(row[1:]) for row in rows if row[1] is not None]


async def dispute_view(reads: ReadPool, dispute_id: str) -> DisputeView:
    """One, for staff.

    Raises:
        NotFound: `dispute_unknown`.
    """
    row = await reads.fetch_one(_ONE_DISPUTE, {"id": dispute_id})
    if row is None:
        raise dispute_unknown()
    return _dispute(row)


async def list_disputes(
    reads: ReadPool, *, only_open: bool, limit: int, after: Keyset | None
) -> tuple[list[DisputeView], bool]:
    """For staff, newest first; and whether there are more."""
    rows = await reads.fetch_all(_DISPUTE_LIST, {**_page(limit, after), "only_open": only_open})
    return [_dispute(row) for row in rows[:limit]], len(rows) > limit


def _page(limit: int, after: Keyset | None) -> dict[str, Any]:
    return {
        "after_at": after.created_at if after else None,
        "after_id": after.id if after else None,
        "limit": limit + 1,
    }


def _refund(row: Row) -> RefundView:
    values = _named(RefundView, row)
    values["reason"] = RefundReason(values["reason"])
    values["requested_as"] = Requester(values["requested_as"])
    values["state"] = RefundState(values["state"])
    return RefundView(**values)


def _dispute(row: Row) -> DisputeView:
    values = _named(DisputeView, row)
    values["state"] = DisputeState(values["state"])
    values["answer"] = Answer(values["answer"]) if values["answer"] is not None else None
    return DisputeView(**values)


def _named(kind: Any, row: Row) -> dict[str, Any]:
    return dict(zip((each.name for each in fields(kind)), row, strict=True))


def _charge_unknown() -> NotFound:
    return NotFound("There is no such payment.", code="charge_unknown")
