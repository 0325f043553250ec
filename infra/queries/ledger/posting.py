"""How a journal is written, and what is read before one is: the locks and the repeats.

Every function runs inside the caller's transaction. Locks are taken in one order: the row of
the creator's money, then (in a trigger) the books of the currency and the balances in id
order. A transaction therefore moves the money of one creator only.

A transaction that posts to the platform's accounts holds the books of its currency until it
ends: post late, and call nothing outside after it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, text
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
from infra.models import (
    AccountBalance,
    CreatorMoney,
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


def balance_of(
    session: Session, kind: AccountKind, *, currency: str, creator_id: str | None = None
) -> int:
    """What is posted to an account, in minor units; 0 where there is none."""
    account_id = account_id_of(kind, currency, creator_id)
    posted = select(AccountBalance.posted_minor).where(AccountBalance.account_id == account_id)
    return session.scalar(posted) or 0
