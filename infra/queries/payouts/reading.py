"""What creators see of their money, and staff of payouts that wait. One statement each."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime

from domain.access import Caller
from domain.errors import NotFound
from domain.paging import Keyset
from domain.payouts.states import PayoutKind, PayoutState
from infra.queries.access.gathering import VIEWER
from infra.queries.callers import session_ended
from infra.queries.own_pages import ME, fetch_own_page, own_page
from infra.queries.payouts.rows import payout_unknown
from infra.reads import ReadPool, Row

_COLUMNS = """p.id::text, p.creator_id::text, p.kind, p.currency, p.amount_minor, p.state, p.reason,
    p.review_reasons, p.arrival_at, p.created_at, p.sent_at, p.paid_at, p.closed_at,
    p.decided_by, p.decided_at, p.decision_note, p.attention_step, p.attention_reason"""
_OWN_LIST = own_page(
    _COLUMNS, f"payouts p WHERE p.creator_id = {ME}", at="p.created_at", key="p.id"
)
_OWN = f"""
WITH {VIEWER}
SELECT {_COLUMNS} FROM viewer v
LEFT JOIN payouts p ON p.creator_id = v.id AND p.id = %(payout_id)s::uuid
""".encode()
_ONE = f"SELECT {_COLUMNS} FROM payouts p WHERE p.id = %(payout_id)s::uuid".encode()
_WAITING = f"""
SELECT {_COLUMNS} FROM payouts p
WHERE p.state = %(state)s
  AND (p.created_at, p.id) > (
    COALESCE(%(after_at)s::timestamptz, '-infinity'),
    COALESCE(%(after_id)s::uuid, '00000000-0000-0000-0000-000000000000')
  )
ORDER BY p.created_at, p.id
LIMIT %(limit)s
""".encode()
_ACCOUNT = f"""
WITH {VIEWER}
SELECT v.id::text, a.account_id, a.charges_enabled, a.payouts_enabled, a.transfers_enabled,
    a.details_submitted, a.requirements_due, a.disabled_reason, a.country, a.default_currency,
    a.updated_at
FROM viewer v LEFT JOIN connected_accounts a ON a.creator_id = v.id
""".encode()
_BALANCE = f"""
WITH {VIEWER}
SELECT l.currency, l.kind, b.posted_minor FROM viewer v
LEFT JOIN (ledger_accounts l JOIN account_balances b ON b.account_id = l.id)
    ON l.owner_type = 'creator' AND l.owner_id = v.id
ORDER BY l.currency, l.kind
""".encode()
_RELEASES = f"""
WITH {VIEWER},
due AS (
    SELECT e.currency, date_trunc('day', e.available_at AT TIME ZONE 'UTC')::date AS day,
        min(e.available_at) AS at, sum(e.remaining_minor)::bigint AS amount_minor
    FROM viewer v JOIN earning_lots e ON e.creator_id = v.id
    WHERE e.released_at IS NULL AND e.remaining_minor > 0
    GROUP BY 1, 2
),
numbered AS (
    SELECT d.*, row_number() OVER (PARTITION BY d.currency ORDER BY d.day) AS place FROM due d
)
SELECT n.currency, n.at, n.amount_minor FROM numbered n WHERE n.place <= 14
ORDER BY n.currency, n.day
""".encode()


@dataclass(frozen=True, slots=True)
class PayoutView:
    id: str
    creator_id: str
    kind: PayoutKind
    currency: str
    amount_minor: int | None
    state: PayoutState
    reason: str | None
    review_reasons: list[str]
    arrival_at: datetime | None
    created_at: datetime
    sent_at: datetime | None
    paid_at: datetime | None
    closed_at: datetime | None
    decided_by: str | None
    decided_at: datetime | None
    decision_note: str | None
    attention_step: str | None
    attention_reason: str | None


@dataclass(frozen=True, slots=True)
class AccountView:
    account_id: str
    charges_enabled: bool
    payouts_enabled: bool
    transfers_enabled: bool
    details_submitted: bool
    requirements_due: list[str]
    disabled_reason: str | None
    country: str | None
    default_currency: str | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Release:
    at: datetime
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Balance:
    """What a creator has in one currency, in its minor units; `debt` as a positive amount."""

    currency: str
    pending_minor: int = 0
    available_minor: int = 0
    reserve_minor: int = 0
    held_minor: int = 0
    in_flight_minor: int = 0
    debt_minor: int = 0
    releases: tuple[Release, ...] = ()
    """When what is pending becomes available, by day, the next first; two weeks' worth."""


_FIELDS = {
    "pending": "pending_minor",
    "available": "available_minor",
    "reserve": "reserve_minor",
    "dispute_hold": "held_minor",
    "payout_in_flight": "in_flight_minor",
    "debt": "debt_minor",
}


async def own_payouts(
    reads: ReadPool, caller: Caller, *, limit: int, after: Keyset | None
) -> tuple[list[PayoutView], Keyset | None]:
    """The caller's payouts, newest first, and where the page ended (None on the last one).

    Raises:
        Unauthenticated: `session_ended`.
    """
    page = await fetch_own_page(reads, _OWN_LIST, caller=caller, limit=limit, after=after)
    return [_payout(row) for row in page.rows], page.last


async def own_payout(reads: ReadPool, caller: Caller, payout_id: str) -> PayoutView:
    """One of the caller's.

    Raises:
        NotFound: `payout_unknown`.
        Unauthenticated: `session_ended`.
    """
    row = await reads.fetch_one(_OWN, {**_viewer(caller), "payout_id": payout_id})
    if row is None:
        raise session_ended()
    if row[0] is None:
        raise payout_unknown()
    return _payout(row)


async def any_payout(reads: ReadPool, payout_id: str) -> PayoutView:
    """One, for staff.

    Raises:
        NotFound: `payout_unknown`.
    """
    row = await reads.fetch_one(_ONE, {"payout_id": payout_id})
    if row is None:
        raise payout_unknown()
    return _payout(row)


async def payouts_in(
    reads: ReadPool, state: PayoutState, *, limit: int, after: Keyset | None
) -> tuple[list[PayoutView], bool]:
    """Payouts in one state, those that have waited longest first; and whether there are more."""
    rows = await reads.fetch_all(
        _WAITING,
        {
            "state": state.value,
            "after_at": after.created_at if after else None,
            "after_id": after.id if after else None,
            "limit": limit + 1,
        },
    )
    return [_payout(row) for row in rows[:limit]], len(rows) > limit


async def own_account(reads: ReadPool, caller: Caller) -> AccountView:
    """The caller's account for payouts, as it was read last.

    Raises:
        NotFound: `payout_account_missing`.
        Unauthenticated: `session_ended`.
    """
    row = await reads.fetch_one(_ACCOUNT, _viewer(caller))
    if row is None:
        raise session_ended()
    if row[1] is None:
        raise NotFound("There is no payout account yet.", code="payout_account_missing")
    return AccountView(*row[1:])


async def own_balances(reads: ReadPool, caller: Caller) -> list[Balance]:
    """What the caller has, by currency.

    Raises:
        Unauthenticated: `session_ended`.
    """
    posted = await reads.fetch_all(_BALANCE, _viewer(caller))
    if not posted:
        raise session_ended()
    found: dict[str, dict[str, int]] = {}
    for currency, kind, amount in posted:
        if currency is not None:
            found.setdefault(currency, {})[_FIELDS[kind]] = abs(amount)
    releases: dict[str, list[Release]] = {}
    for currency, at, amount in await reads.fetch_all(_RELEASES, _viewer(caller)):
        releases.setdefault(currency, []).append(Release(at, amount))
    return [
        Balance(currency, **amounts, releases=tuple(releases.get(currency, ())))
        for currency, amounts in found.items()
    ]


def _viewer(caller: Caller) -> dict[str, str | None]:
    return {"viewer_id": caller.user_id, "session_id": caller.session_id}


def _payout(row: Row) -> PayoutView:
    names = [field.name for field in fields(PayoutView)]
    values = dict(zip(names, row, strict=True))
    values["kind"], values["state"] = PayoutKind(values["kind"]), PayoutState(values["state"])
    return PayoutView(**values)
