"""How payments stand: one for the thing it is for, and lists of a fan's and of a creator's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.access import Caller
from domain.charges.states import ChargeKind, ChargeState, DeclineKind
from domain.paging import Keyset
from infra.models import Charge
from infra.queries.own_pages import ME, fetch_own_page, own_page
from infra.queries.people import PERSON, PERSON_WIDTH, Person, person_from
from infra.reads import ReadPool, Row

_COLUMNS = """c.id::text, c.kind, c.subject_id::text, c.state, c.amount_minor, c.tax_minor,
    c.currency, c.refunded_minor, c.disputed_at, c.decline_code, c.decline_kind, c.created_at,
    c.paid_at"""

_PAYMENTS = own_page(
    f"{PERSON}, {_COLUMNS}",
    f"charges c JOIN users u ON u.id = c.creator_id WHERE c.fan_id = {ME}",
    at="c.created_at",
    key="c.id",
)
_SALES = own_page(
    f"{PERSON}, {_COLUMNS}",
    f"""charges c JOIN users u ON u.id = c.fan_id
    WHERE c.creator_id = {ME} AND c.state = 'paid'""",
    at="c.paid_at",
    key="c.id",
)

LAST_TRY_COLUMNS = """c.state, c.amount_minor, c.currency, c.client_secret, c.created_at,
    c.decline_code, c.decline_kind"""
LAST_TRY = """
    SELECT c.* FROM charges c WHERE c.subject_id = {subject} AND c.step = 'charge'
    ORDER BY c.generation DESC LIMIT 1"""
"""The last try to charge for a thing that is paid for once, to be joined as `c`."""


@dataclass(frozen=True, slots=True)
class LastTry:
    """What its payer is told of a charge."""

    state: ChargeState
    amount_minor: int
    currency: str
    client_secret: str | None
    created_at: datetime
    decline_code: str | None
    decline_kind: DeclineKind | None


def last_try_from(row: Row) -> LastTry | None:
    """Of `LAST_TRY_COLUMNS`; None where there was no try yet."""
    if row[0] is None:
        return None
    kind = DeclineKind(row[6]) if row[6] else None
    return LastTry(ChargeState(row[0]), row[1], row[2], row[3], row[4], row[5], kind)


@dataclass(frozen=True, slots=True)
class ListedCharge:
    """A charge and who is on its other side. Times in UTC, amounts in minor units."""

    person: Person
    id: str
    kind: ChargeKind
    subject_id: str
    state: ChargeState
    amount_minor: int
    tax_minor: int
    currency: str
    refunded_minor: int
    disputed_at: datetime | None
    decline_code: str | None
    decline_kind: DeclineKind | None
    created_at: datetime
    paid_at: datetime | None


async def list_payments(
    reads: ReadPool, *, caller: Caller, after: Keyset | None, limit: int
) -> tuple[list[ListedCharge], Keyset | None]:
    """What the caller paid or tried to, the newest first, and where the page ended."""
    page = await fetch_own_page(reads, _PAYMENTS, caller=caller, after=after, limit=limit)
    return [_charge_from(row) for row in page.rows], page.last


async def list_sales(
    reads: ReadPool, *, caller: Caller, after: Keyset | None, limit: int
) -> tuple[list[ListedCharge], Keyset | None]:
    """What others paid the caller for, the newest first, and where the page ended."""
    page = await fetch_own_page(reads, _SALES, caller=caller, after=after, limit=limit)
    return [_charge_from(row) for row in page.rows], page.last


def _charge_from(row: Row) -> ListedCharge:
    charge_id, kind, subject_id, state, *rest = row[PERSON_WIDTH:]
    return ListedCharge(
        person_from(row[:PERSON_WIDTH]),
        charge_id,
        ChargeKind(kind),
        subject_id,
        ChargeState(state),
        *rest,
    )


async def latest_charge(session: AsyncSession, subject_id: str) -> Charge | None:
    """The last try to charge for a thing that is paid for once."""
    return await session.scalar(
        select(Charge)
        .where(Charge.subject_id == subject_id, Charge.step == "charge")
        .order_by(Charge.generation.desc())
        .limit(1)
    )
