"""How a purchase stands, for the fan whose it is: one statement knows them and reads it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from domain.access import Caller
from domain.unlocks.states import EndReason, UnlockState
from infra.queries.access.gathering import VIEWER
from infra.queries.callers import session_ended
from infra.queries.charges.reading import LAST_TRY, LAST_TRY_COLUMNS, LastTry, last_try_from
from infra.queries.own_pages import ME
from infra.reads import ReadPool

_COLUMNS = """b.id::text, b.post_id::text, b.message_id::text, b.creator_id::text, b.state,
    b.list_minor, b.discount_minor, b.currency, b.created_at, b.unlocked_at, b.ended_at,
    b.ended_reason"""
_OWN = f"""
WITH {VIEWER},
bought AS MATERIALIZED (
    SELECT u.* FROM unlocks u WHERE u.id = %(unlock_id)s::uuid AND u.fan_id = {ME}
)
SELECT {_COLUMNS}, {LAST_TRY_COLUMNS}
FROM viewer v
LEFT JOIN bought b ON true
LEFT JOIN LATERAL ({LAST_TRY.format(subject="b.id")}) c ON true
""".encode()


@dataclass(frozen=True, slots=True)
class OwnUnlock:
    """A purchase and the last try to pay for it. Times in UTC, amounts in minor units."""

    id: str
    post_id: str | None
    message_id: str | None
    creator_id: str
    state: UnlockState
    list_minor: int
    discount_minor: int
    currency: str
    created_at: datetime
    unlocked_at: datetime | None
    ended_at: datetime | None
    ended_reason: EndReason | None
    last_try: LastTry | None

    @property
    def amount_minor(self) -> int:
        return self.list_minor - self.discount_minor


async def own_unlock(reads: ReadPool, *, caller: Caller, unlock_id: str) -> OwnUnlock | None:
    """A purchase of the caller's own.

    Raises:
        Unauthenticated: `session_ended`.
    """
    row = await reads.fetch_one(
        _OWN,
        {
            "viewer_id": caller.user_id,
            "session_id": caller.session_id,
            "unlock_id": unlock_id,
        },
    )
    if row is None:
        raise session_ended()
    if row[0] is None:
        return None
    own, tried = row[:12], row[12:]
    id_, post_id, message_id, creator_id, state, *terms_and_times, why = own
    list_minor, discount_minor, currency, created_at, unlocked_at, ended_at = terms_and_times
    return OwnUnlock(
        id=id_,
        post_id=post_id,
        message_id=message_id,
        creator_id=creator_id,
        state=UnlockState(state),
        list_minor=list_minor,
        discount_minor=discount_minor,
        currency=currency,
        created_at=created_at,
        unlocked_at=unlocked_at,
        ended_at=ended_at,
        ended_reason=EndReason(why) if why else None,
        last_try=last_try_from(tried),
    )
