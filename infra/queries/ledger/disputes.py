"""What is posted for a dispute: its opening, and one of its two ends."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from domain.errors import Invalid
from domain.ledger.accounts import AccountKind, JournalDraft, OwnerType
from domain.ledger.postings import (
    closed_key,
    dispute_key,
    dispute_lost,
    dispute_opened,
    dispute_won,
)
from infra.queries.ledger.charges import other_lots
from infra.queries.ledger.lots import available_lots, lock_charge, settle_debt, standing_for
from infra.queries.ledger.posting import (
    Occasion,
    Posted,
    body_hash,
    lock_creator_money,
    post,
    posted_before,
    require_journal,
)


def open_dispute(
    session: Session,
    *,
    dispute_id: str,
    charge_id: str,
    amount_minor: int,
    fee_minor: int,
    at: datetime,
    stripe_ref: str,
    workflow_id: str | None = None,
) -> Posted:
    """Post what Stripe took for a chargeback, and hold the creator's share of it.

    Not for inquiries (`warning_*`), for which Stripe takes nothing.

    Args:
        stripe_ref: the source of the balance transactions, `dp_…`.

    Raises:
        NotFound: `sale_unknown`.
        Invalid: `dispute_of_nothing`.
        Conflict: `journal_differs`.
    """
    if amount_minor <= 0 or fee_minor < 0:
        raise Invalid(
            "A dispute takes something.",
            code="dispute_of_nothing",
            amount_minor=amount_minor,
            fee_minor=fee_minor,
        )
    body = body_hash(
        kind="dispute_opened",
        charge_id=charge_id,
        amount_minor=amount_minor,
        fee_minor=fee_minor,
        stripe_ref=stripe_ref,
    )
    lot = lock_charge(session, charge_id)
    before = posted_before(session, dispute_key(dispute_id), body)
    if before is not None:
        return before
    draft = dispute_opened(
        dispute_id=dispute_id,
        lot=lot,
        others=other_lots(session, lot, amount_minor),
        amount_minor=amount_minor,
        fee_minor=fee_minor,
        stripe_ref=stripe_ref,
    )
    return post(session, draft, body=body, when=Occasion(at, workflow_id))


def win_dispute(
    session: Session,
    *,
    dispute_id: str,
    at: datetime,
    stripe_ref: str,
    fee_returned_minor: int = 0,
    workflow_id: str | None = None,
) -> Posted:
    """Post what Stripe gave back, and give the creator back exactly what was held.

    Raises:
        NotFound: `dispute_unknown`; its opening was not posted.
        Conflict: `journal_differs`; it was closed before, otherwise.
    """
    body = body_hash(
        kind="dispute_won", fee_returned_minor=fee_returned_minor, stripe_ref=stripe_ref
    )
    opened, before = _begin_end(session, dispute_id, body)
    if before is not None:
        return before
    draft = dispute_won(
        opened,
        dispute_id=dispute_id,
        standing=standing_for(session, opened),
        fee_returned_minor=fee_returned_minor,
        stripe_ref=stripe_ref,
    )
    when = Occasion(at, workflow_id)
    posted = post(session, draft, body=body, when=when)
    assert opened.creator_id is not None
    settle_debt(
        session,
        creator_id=opened.creator_id,
        currency=opened.currency,
        cause=draft.event_key,
        when=when,
    )
    return posted


def lose_dispute(
    session: Session,
    *,
    dispute_id: str,
    at: datetime,
    stripe_ref: str,
    fee_borne_by: OwnerType,
    workflow_id: str | None = None,
) -> Posted:
    """Post that the amount is gone; the creator loses what was held, and by policy the fee.

    Raises:
        NotFound: `dispute_unknown`; its opening was not posted.
        Conflict: `journal_differs`; it was closed before, otherwise.
    """
    body = body_hash(kind="dispute_lost", fee_borne_by=fee_borne_by, stripe_ref=stripe_ref)
    opened, before = _begin_end(session, dispute_id, body)
    if before is not None:
        return before
    assert opened.creator_id is not None
    paid = -opened.entries.get(AccountKind.STRIPE_FEES, 0)
    creator_fee = paid if fee_borne_by is OwnerType.CREATOR else 0
    draft = dispute_lost(
        opened,
        dispute_id=dispute_id,
        available=available_lots(
            session,
            creator_id=opened.creator_id,
            currency=opened.currency,
            needed_minor=creator_fee,
        ),
        creator_fee_minor=creator_fee,
        stripe_ref=stripe_ref,
    )
    return post(session, draft, body=body, when=Occasion(at, workflow_id))


def _begin_end(
    session: Session, dispute_id: str, body: bytes
) -> tuple[JournalDraft, Posted | None]:
    """The journal of the opening, with its creator's money locked; and the end, if it came."""
    opened = require_journal(session, dispute_key(dispute_id), code="dispute_unknown")
    assert opened.creator_id is not None
    lock_creator_money(session, opened.creator_id)
    return opened, posted_before(session, closed_key(dispute_id), body)
