"""How a journal is written, and what is read before one is: the locks, the lots, the repeats.

Every function runs inside the caller's transaction. Locks are taken in one order: the row of
the creator's money, then (in a trigger) the books of the currency and the balances in id
order. A transaction therefore moves the money of one creator only.

A transaction that posts to the platform's accounts holds the books of its currency until it
ends: post late, and call nothing outside after it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Executable, Row, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from domain.errors import Conflict, NotFound
from domain.ids import derived_id
from domain.ledger.accounts import (
    AccountKind,
    JournalDraft,
    JournalKind,
    LotPart,
    Movement,
    OwnerType,
)
from domain.ledger.lots import Lot, Parts, Standing
from domain.ledger.payouts import pay_debt
from infra.models import (
    AccountBalance,
    CreatorMoney,
    EarningLot,
    Journal,
    JournalEntry,
    LedgerAccount,
    LotMovement,
)


@dataclass(frozen=True, slots=True)
class Posted:
    """A journal that stands in the ledger; `is_new`: by this call."""

    journal_id: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class Occasion:
    """When something takes effect, and which run says so. Not a part of what is compared when
    an event comes again: another run may find out the same thing later."""

    at: datetime
    workflow_id: str | None = None


def body_hash(**facts: str | int | None) -> bytes:
    """Of what the caller says of an event; it tells a repeat from another event."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).digest()


def journal_id_of(event_key: str) -> str:
    return derived_id("journal", event_key)


def account_id_of(kind: AccountKind, currency: str, creator_id: str | None) -> str:
    owner = creator_id or "" if kind.owner_type is OwnerType.CREATOR else ""
    return derived_id("ledger_account", owner, kind, currency)


def lock_creator_money(session: Session, creator_id: str) -> CreatorMoney:
    """The row that serialises a creator's money, locked; made where there was none."""
    wanted = (
        select(CreatorMoney)
        .where(CreatorMoney.creator_id == creator_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    money = session.scalar(wanted)
    if money is None:
        session.execute(insert(CreatorMoney).values(creator_id=creator_id).on_conflict_do_nothing())
        money = session.scalars(wanted).one()
    return money


def posted_before(session: Session, event_key: str, body: bytes) -> Posted | None:
    """The journal of this event, if it was posted.

    Raises:
        Conflict: `journal_differs`; an event of this key was posted, and said something else.
    """
    wanted = select(Journal.id, Journal.body_hash).where(Journal.event_key == event_key)
    first = session.execute(wanted).first()
    if first is None:
        return None
    if bytes(first.body_hash) != body:
        raise Conflict(
            "This event was posted before, with something else.",
            code="journal_differs",
            event_key=event_key,
        )
    return Posted(first.id, is_new=False)


_ACCOUNTS = text("""
    INSERT INTO ledger_accounts
        (id, owner_type, owner_id, kind, currency, allow_negative, allow_positive)
    SELECT a.id, a.owner_type, CASE a.owner_type WHEN 'creator' THEN CAST(:creator_id AS uuid) END,
           a.kind, :currency, a.allow_negative, a.allow_positive
    FROM unnest(
        CAST(:ids AS uuid[]), CAST(:owner_types AS text[]), CAST(:kinds AS text[]),
        CAST(:negatives AS boolean[]), CAST(:positives AS boolean[])
    ) AS a (id, owner_type, kind, allow_negative, allow_positive)
    ORDER BY a.id
    ON CONFLICT DO NOTHING
""")
_JOURNAL = text("""
    WITH journal AS (
        INSERT INTO journals (id, event_key, body_hash, kind, effective_at, workflow_id,
                              stripe_ref, charge_id, creator_id, reverses_id)
        VALUES (:id, :event_key, :body_hash, :kind, :effective_at, :workflow_id,
                :stripe_ref, :charge_id, :creator_id, :reverses_id)
        ON CONFLICT DO NOTHING
        RETURNING id
    )
    INSERT INTO journal_entries (journal_id, seq, account_id, currency, amount_minor)
    SELECT journal.id, e.seq, e.account_id, :currency, e.amount_minor
    FROM journal, unnest(CAST(:ids AS uuid[]), CAST(:amounts AS bigint[]))
        WITH ORDINALITY AS e (account_id, amount_minor, seq)
    RETURNING seq
""")
_MOVEMENTS = text("""
    INSERT INTO lot_movements (journal_id, seq, lot_id, part, amount_minor)
    SELECT :id, m.seq, m.lot_id, m.part, m.amount_minor
    FROM unnest(CAST(:lots AS uuid[]), CAST(:parts AS text[]), CAST(:amounts AS bigint[]))
        WITH ORDINALITY AS m (lot_id, part, amount_minor, seq)
""")


def post(session: Session, draft: JournalDraft, *, body: bytes, when: Occasion) -> Posted:
    """Write a journal with its entries and movements; balances and lots follow by triggers.

    Raises:
        Conflict: `journal_differs`, as `posted_before`; `journal_reversed`: another journal has
            taken back before what this one takes back.
    """
    kinds = list(draft.entries)
    ids = [account_id_of(kind, draft.currency, draft.creator_id) for kind in kinds]
    session.execute(
        _ACCOUNTS,
        {
            "ids": ids,
            "creator_id": draft.creator_id,
            "currency": draft.currency,
            "owner_types": [kind.owner_type.value for kind in kinds],
            "kinds": [kind.value for kind in kinds],
            "negatives": [kind.allow_negative for kind in kinds],
            "positives": [kind.allow_positive for kind in kinds],
        },
    )
    journal_id = journal_id_of(draft.event_key)
    written = session.execute(
        _JOURNAL,
        {
            "id": journal_id,
            "event_key": draft.event_key,
            "body_hash": body,
            "kind": draft.kind.value,
            "effective_at": when.at,
            "workflow_id": when.workflow_id,
            "stripe_ref": draft.stripe_ref,
            "charge_id": draft.charge_id,
            "creator_id": draft.creator_id,
            "reverses_id": journal_id_of(draft.reverses) if draft.reverses else None,
            "currency": draft.currency,
            "ids": ids,
            "amounts": list(draft.entries.values()),
        },
    ).all()
    if not written:
        return _the_first(session, draft, body)
    if draft.movements:
        session.execute(
            _MOVEMENTS,
            {
                "id": journal_id,
                "lots": [each.lot_id for each in draft.movements],
                "parts": [each.part.value for each in draft.movements],
                "amounts": [each.amount_minor for each in draft.movements],
            },
        )
    return Posted(journal_id, is_new=True)


def _the_first(session: Session, draft: JournalDraft, body: bytes) -> Posted:
    first = posted_before(session, draft.event_key, body)
    if first is None:
        raise Conflict(
            "This was taken back before.",
            code="journal_reversed",
            event_key=draft.event_key,
            reverses=draft.reverses,
        )
    return first


def load_journal(session: Session, event_key: str) -> JournalDraft | None:
    """A journal as it was posted, if it was."""
    journal = session.scalar(select(Journal).where(Journal.event_key == event_key))
    if journal is None:
        return None
    entries = session.execute(
        select(LedgerAccount.kind, JournalEntry.amount_minor, JournalEntry.currency)
        .join(LedgerAccount, LedgerAccount.id == JournalEntry.account_id)
        .where(JournalEntry.journal_id == journal.id)
        .order_by(JournalEntry.seq)
    ).all()
    movements = session.execute(
        select(LotMovement.lot_id, LotMovement.part, LotMovement.amount_minor)
        .where(LotMovement.journal_id == journal.id)
        .order_by(LotMovement.seq)
    )
    return JournalDraft(
        event_key=journal.event_key,
        kind=JournalKind(journal.kind),
        currency=entries[0].currency,
        entries={AccountKind(kind): amount for kind, amount, _ in entries},
        creator_id=journal.creator_id,
        charge_id=journal.charge_id,
        stripe_ref=journal.stripe_ref,
        movements=tuple(Movement(lot, LotPart(part), amount) for lot, part, amount in movements),
    )


def require_journal(session: Session, event_key: str, *, code: str) -> JournalDraft:
    """As `load_journal`.

    Raises:
        NotFound: with this code; it was not posted.
    """
    journal = load_journal(session, event_key)
    if journal is None:
        raise NotFound("The ledger knows nothing of it.", code=code, event_key=event_key)
    return journal


_LOT = (
    EarningLot.id,
    EarningLot.creator_id,
    EarningLot.currency,
    EarningLot.tax_minor,
    EarningLot.commission_minor,
    EarningLot.amount_minor,
    EarningLot.released_at,
    EarningLot.returned_tax_minor,
    EarningLot.returned_commission_minor,
    EarningLot.returned_share_minor,
    EarningLot.refunded_minor,
    EarningLot.reserved_minor,
    EarningLot.paid_out_minor,
    EarningLot.held_minor,
    EarningLot.debt_paid_minor,
)


def lot_from(row: Row[Any]) -> Lot:
    return Lot(
        id=row.id,
        creator_id=row.creator_id,
        currency=row.currency,
        sale=Parts(row.tax_minor, row.commission_minor, row.amount_minor),
        released=row.released_at is not None,
        returned=Parts(
            row.returned_tax_minor, row.returned_commission_minor, row.returned_share_minor
        ),
        refunded_minor=row.refunded_minor,
        reserved_minor=row.reserved_minor,
        paid_out_minor=row.paid_out_minor,
        held_minor=row.held_minor,
        debt_paid_minor=row.debt_paid_minor,
    )


def _lots(session: Session, wanted: Executable) -> list[Lot]:
    return [lot_from(row) for row in session.execute(wanted)]


def lock_charge(session: Session, charge_id: str) -> Lot:
    """The lot of a charge, with its creator's money locked.

    Raises:
        NotFound: `sale_unknown`; no sale of this charge was posted.
    """
    own = select(*_LOT).where(EarningLot.id == charge_id)
    creator_id = session.scalar(select(EarningLot.creator_id).where(EarningLot.id == charge_id))
    if creator_id is None:
        raise NotFound(
            "No sale of this charge was posted.", code="sale_unknown", charge_id=charge_id
        )
    lock_creator_money(session, creator_id)
    return _lots(session, own)[0]


def available_lots(
    session: Session, *, creator_id: str, currency: str, needed_minor: int
) -> list[Lot]:
    """The oldest lots from which something can be taken, as many as hold the amount or all."""
    before = func.sum(EarningLot.remaining_minor).over(
        order_by=(EarningLot.available_at, EarningLot.id), rows=(None, -1)
    )
    running = (
        select(*_LOT, EarningLot.available_at, func.coalesce(before, 0).label("before_minor"))
        .where(
            EarningLot.creator_id == creator_id,
            EarningLot.currency == currency,
            EarningLot.released_at.is_not(None),
            EarningLot.remaining_minor > 0,
        )
        .subquery()
    )
    wanted = (
        select(running)
        .where(running.c.before_minor < needed_minor)
        .order_by(running.c.available_at, running.c.id)
    )
    return _lots(session, wanted)


def due_lots(session: Session, *, creator_id: str, at: datetime) -> list[Lot]:
    """Lots whose wait is over and that are still pending, of every currency."""
    return _lots(
        session,
        select(*_LOT)
        .where(
            EarningLot.creator_id == creator_id,
            EarningLot.released_at.is_(None),
            EarningLot.available_at <= at,
        )
        .order_by(EarningLot.currency, EarningLot.available_at, EarningLot.id),
    )


def balance_of(
    session: Session, kind: AccountKind, *, currency: str, creator_id: str | None = None
) -> int:
    """What is posted to an account, in minor units; 0 where there is none."""
    account_id = account_id_of(kind, currency, creator_id)
    posted = select(AccountBalance.posted_minor).where(AccountBalance.account_id == account_id)
    return session.scalar(posted) or 0


def standing_for(session: Session, first: JournalDraft) -> Standing:
    """How the creator of a journal stands, to give back what that journal took."""
    assert first.creator_id is not None
    debt = -balance_of(
        session, AccountKind.DEBT, currency=first.currency, creator_id=first.creator_id
    )
    taken_from = EarningLot.id.in_({each.lot_id for each in first.movements})
    has_paid = EarningLot.debt_paid_minor > 0
    given_back_to = (
        taken_from if -first.entries.get(AccountKind.DEBT, 0) <= debt else taken_from | has_paid
    )
    lots = _lots(
        session,
        select(*_LOT)
        .where(
            EarningLot.creator_id == first.creator_id,
            EarningLot.currency == first.currency,
            given_back_to,
        )
        .order_by(EarningLot.available_at.desc(), EarningLot.id.desc()),
    )
    return Standing(debt, lots)


def settle_debt(
    session: Session, *, creator_id: str, currency: str, cause: str, when: Occasion
) -> int:
    """Pay what the creator owes from what has become available. Never both for long: after
    each operation one of the two is zero.

    Args:
        cause: event key of the journal that made something available.

    Returns:
        how much was paid, in minor units.
    """
    debt = -balance_of(session, AccountKind.DEBT, currency=currency, creator_id=creator_id)
    if debt == 0:
        return 0
    draft = pay_debt(
        cause=cause,
        creator_id=creator_id,
        currency=currency,
        debt_minor=debt,
        available=available_lots(
            session, creator_id=creator_id, currency=currency, needed_minor=debt
        ),
    )
    if draft is None:
        return 0
    post(session, draft, body=body_hash(cause=cause), when=when)
    return draft.entries[AccountKind.DEBT]


def by_currency(lots: Sequence[Lot]) -> dict[str, list[Lot]]:
    """Lots by their currency, in their order."""
    grouped: dict[str, list[Lot]] = {}
    for lot in lots:
        grouped.setdefault(lot.currency, []).append(lot)
    return grouped
