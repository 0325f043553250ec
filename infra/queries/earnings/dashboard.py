"""Numbers for a creator's dashboard. One statement each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from domain.access import Caller
from infra.queries.access.gathering import VIEWER
from infra.queries.callers import session_ended
from infra.reads import ReadPool

_DAYS = f"""
WITH {VIEWER},
posted AS (
    SELECT j.kind, l.source, e.currency, (j.effective_at AT TIME ZONE 'UTC')::date AS day,
        coalesce(sum(e.amount_minor) FILTER (WHERE a.kind = 'tax_payable'), 0) AS tax,
        coalesce(sum(e.amount_minor) FILTER (WHERE a.kind = 'commission'), 0) AS commission,
        coalesce(sum(e.amount_minor) FILTER (WHERE a.owner_type = 'creator'), 0) AS net
    FROM viewer v
    JOIN journals j ON j.creator_id = v.id
    JOIN journal_entries e ON e.journal_id = j.id
    JOIN ledger_accounts a ON a.id = e.account_id
    LEFT JOIN earning_lots l ON l.id = j.charge_id
    WHERE j.effective_at >= %(start)s AND j.effective_at < %(end)s
      AND j.kind IN ('sale', 'refund', 'refund_failed', 'dispute_lost')
    GROUP BY j.id, l.source, e.currency
)
SELECT p.day, p.source, p.currency,
    count(*) FILTER (WHERE p.kind = 'sale'),
    coalesce(sum(p.tax + p.commission + p.net) FILTER (WHERE p.kind = 'sale'), 0)::bigint,
    coalesce(-sum(p.tax + p.commission + p.net) FILTER (WHERE p.kind <> 'sale'), 0)::bigint,
    sum(p.tax)::bigint, sum(p.commission)::bigint, sum(p.net)::bigint
FROM viewer v LEFT JOIN posted p ON true
GROUP BY p.day, p.source, p.currency
ORDER BY p.day, p.source, p.currency
""".encode()
_AUDIENCE = f"""
WITH {VIEWER},
rights AS (
    SELECT r.fan_id, r.starts_at,
        coalesce(least(r.expires_at, r.revoked_at), 'infinity'::timestamptz) AS ends_at
    FROM viewer v JOIN entitlements r ON r.creator_id = v.id
    WHERE r.source = 'subscription' AND r.media_id IS NULL
      AND r.post_id IS NULL AND r.message_id IS NULL
),
fans AS (
    SELECT fan_id,
        bool_or(starts_at < %(start)s AND ends_at > %(start)s) AS at_start,
        bool_or(starts_at < %(end)s AND ends_at >= %(end)s) AS at_end,
        bool_or(starts_at >= %(start)s AND starts_at < %(end)s) AS began
    FROM rights GROUP BY fan_id
)
SELECT count(f.fan_id) FILTER (WHERE f.at_start), count(f.fan_id) FILTER (WHERE f.at_end),
    count(f.fan_id) FILTER (WHERE f.began AND NOT f.at_start),
    count(f.fan_id) FILTER (WHERE f.at_start AND NOT f.at_end)
FROM viewer v LEFT JOIN fans f ON true
GROUP BY v.id
""".encode()
_POSTS = f"""
WITH {VIEWER},
sold AS (
    SELECT coalesce(u.post_id, t.post_id) AS post_id, c.currency,
        count(*) FILTER (WHERE c.kind = 'unlock') AS unlocks,
        count(*) FILTER (WHERE c.kind = 'tip') AS tips,
        sum(c.amount_minor - c.refunded_minor)::bigint AS gross,
        sum(l.amount_minor - l.returned_share_minor)::bigint AS net
    FROM viewer v
    JOIN charges c ON c.creator_id = v.id AND c.state = 'paid'
    JOIN earning_lots l ON l.id = c.id
    LEFT JOIN unlocks u ON c.kind = 'unlock' AND u.id = c.subject_id
    LEFT JOIN tips t ON c.kind = 'tip' AND t.id = c.subject_id
    WHERE c.paid_at >= %(start)s AND c.paid_at < %(end)s
      AND coalesce(u.post_id, t.post_id) IS NOT NULL
    GROUP BY 1, 2
    ORDER BY net DESC, post_id
    LIMIT %(limit)s
)
SELECT s.post_id::text, s.currency, s.unlocks, s.tips, s.gross, s.net
FROM viewer v LEFT JOIN sold s ON true
ORDER BY s.net DESC, s.post_id
""".encode()


@dataclass(frozen=True, slots=True)
class Day:
    """One day (UTC), source and currency. Amounts in minor units."""

    day: date
    source: str
    currency: str
    sales: int
    gross_minor: int
    """What fans paid."""
    given_back_minor: int
    """What went back to fans: refunds, less those that failed, and lost disputes."""
    tax_minor: int
    commission_minor: int
    net_minor: int
    """The creator's own: gross, less what was given back, tax and commission. The fee of a lost
    dispute is in it, where creators bear it."""


@dataclass(frozen=True, slots=True)
class Audience:
    """Subscribers: at both ends of the time, and between."""

    at_start: int
    at_end: int
    joined: int
    left: int
    """Of those at the start, who are not there at the end."""

    @property
    def churn_bps(self) -> int | None:
        """How many of those at the start left, in basis points; None: there were none."""
        return self.left * 10_000 // self.at_start if self.at_start else None


@dataclass(frozen=True, slots=True)
class SoldPost:
    """What one post brought, by what was paid in the time; what went back of that taken off,
    whenever it did. Amounts in minor units."""

    post_id: str
    currency: str
    unlocks: int
    tips: int
    gross_minor: int
    net_minor: int


async def own_top_posts(
    reads: ReadPool, caller: Caller, *, start: datetime, end: datetime, limit: int
) -> list[SoldPost]:
    """The posts that brought most to the caller. Raises `Unauthenticated` (`session_ended`)."""
    rows = await reads.fetch_all(_POSTS, {**_params(caller, start, end), "limit": limit})
    if not rows:
        raise session_ended()
    return [SoldPost(*row) for row in rows if row[0] is not None]


async def own_days(reads: ReadPool, caller: Caller, *, start: datetime, end: datetime) -> list[Day]:
    """Raises `Unauthenticated` (`session_ended`)."""
    rows = await reads.fetch_all(_DAYS, _params(caller, start, end))
    if not rows:
        raise session_ended()
    return [Day(*row) for row in rows if row[0] is not None]


async def own_audience(
    reads: ReadPool, caller: Caller, *, start: datetime, end: datetime
) -> Audience:
    """Raises `Unauthenticated` (`session_ended`)."""
    row = await reads.fetch_one(_AUDIENCE, _params(caller, start, end))
    if row is None:
        raise session_ended()
    return Audience(*row)


def _params(caller: Caller, start: datetime, end: datetime) -> dict[str, object]:
    return {
        "viewer_id": caller.user_id,
        "session_id": caller.session_id,
        "start": start,
        "end": end,
    }
