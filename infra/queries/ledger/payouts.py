"""What is posted for a payout: reserved, funded by a transfer, then settled or returned."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.errors import Conflict
from domain.ledger import payouts as rules
from domain.ledger.accounts import AccountKind, JournalDraft
from domain.ledger.payouts import NoPayout, NotReserved, Reserved
from infra.models import CreatorMoney, Journal
from infra.queries.ledger.lots import available_lots, settle_debt
from infra.queries.ledger.posting import (
    Occasion,
    Posted,
    balance_of,
    body_hash,
    load_journal,
    lock_creator_money,
    post,
    posted_before,
    require_journal,
)


def reserve_payout(
    session: Session,
    *,
    payout_id: str,
    creator_id: str,
    currency: str,
    at: datetime,
    minimum_minor: int,
    round_to_minor: int = 1,
    hold_blocks: bool = True,
    workflow_id: str | None = None,
) -> Reserved | NotReserved:
    """Set all that is available apart for a payout, the oldest lots first.

    Args:
        minimum_minor: less than that is not paid out.
        round_to_minor: the amount is a multiple of it; what is left stays in the lots.
        hold_blocks: does an open dispute keep the rest from being paid out as well?

    Returns:
        what was reserved, by this call or by the first one with this `payout_id`; or why
        nothing is, of which nothing is written down.

    Raises:
        Conflict: `journal_differs`; the id was used for another creator or currency.
    """
    body = body_hash(kind="payout_reserved", creator_id=creator_id, currency=currency)
    money = lock_creator_money(session, creator_id)
    if posted_before(session, rules.reserve_key(payout_id), body) is not None:
        return _reserved(
            require_journal(session, rules.reserve_key(payout_id), code="payout_unknown")
        )
    available = balance_of(session, AccountKind.AVAILABLE, currency=currency, creator_id=creator_id)
    amount = rules.payable_minor(available_minor=available, round_to_minor=round_to_minor)
    reason = _why_not(session, money, currency, hold_blocks=hold_blocks)
    if reason is None and (amount < minimum_minor or amount == 0):
        reason = NoPayout.BELOW_MINIMUM
    if reason is not None:
        detail = money.payouts_blocked_reason if reason is NoPayout.BLOCKED else None
        return NotReserved(reason, available, detail)
    draft = rules.reserve_payout(
        payout_id=payout_id,
        available=available_lots(
            session, creator_id=creator_id, currency=currency, needed_minor=amount
        ),
        amount_minor=amount,
    )
    post(session, draft, body=body, when=Occasion(at, workflow_id))
    return _reserved(draft)


def _why_not(
    session: Session, money: CreatorMoney, currency: str, *, hold_blocks: bool
) -> NoPayout | None:
    if money.payouts_blocked_reason is not None:
        return NoPayout.BLOCKED
    creator = {"currency": currency, "creator_id": money.creator_id}
    if balance_of(session, AccountKind.DEBT, **creator) < 0:
        return NoPayout.DEBT
    if hold_blocks and balance_of(session, AccountKind.DISPUTE_HOLD, **creator) > 0:
        return NoPayout.HOLD
    return None


def _reserved(draft: JournalDraft) -> Reserved:
    return Reserved(
        draft.entries[AccountKind.PAYOUT_IN_FLIGHT],
        tuple((each.lot_id, each.amount_minor) for each in draft.movements),
    )


def fund_payout(
    session: Session,
    *,
    payout_id: str,
    at: datetime,
    stripe_ref: str,
    workflow_id: str | None = None,
) -> Posted:
    """Post the transfer (`tr_…`) of the reserved amount to the creator's account at Stripe.

    Raises:
        NotFound: `payout_unknown`; nothing was reserved for it.
        Conflict: `payout_returned`, or `journal_differs`: another transfer has funded it.
    """
    body = body_hash(kind="payout_funded", stripe_ref=stripe_ref)
    reserved, before, steps = _begin(session, payout_id, rules.fund_key(payout_id), body)
    if before is not None:
        return before
    _refuse_after(steps, rules.return_key(payout_id), code="payout_returned")
    draft = rules.fund_payout(reserved, payout_id=payout_id, stripe_ref=stripe_ref)
    return post(session, draft, body=body, when=Occasion(at, workflow_id))


def reverse_transfer(
    session: Session,
    *,
    payout_id: str,
    at: datetime,
    stripe_ref: str,
    workflow_id: str | None = None,
) -> Posted:
    """Post that the transfer came back in full (`trr_…`).

    Raises:
        NotFound: `payout_unknown`, or `payout_not_funded`.
        Conflict: `payout_settled`, or `journal_differs`.
    """
    body = body_hash(kind="transfer_reversed", stripe_ref=stripe_ref)
    _, before, steps = _begin(session, payout_id, rules.reversal_key(payout_id), body)
    if before is not None:
        return before
    _refuse_after(steps, rules.settle_key(payout_id), code="payout_settled")
    funded = require_journal(session, rules.fund_key(payout_id), code="payout_not_funded")
    draft = rules.reverse_transfer(funded, payout_id=payout_id, stripe_ref=stripe_ref)
    return post(session, draft, body=body, when=Occasion(at, workflow_id))


def settle_payout(
    session: Session, *, payout_id: str, at: datetime, workflow_id: str | None = None
) -> Posted:
    """Post that the creator has the money, for good.

    Raises:
        NotFound: `payout_unknown`.
        Conflict: `payout_not_funded`, `payout_returned`, or `transfer_reversed`.
    """
    body = body_hash(kind="payout_settled")
    reserved, before, steps = _begin(session, payout_id, rules.settle_key(payout_id), body)
    if before is not None:
        return before
    _refuse_after(steps, rules.return_key(payout_id), code="payout_returned")
    _refuse_after(steps, rules.reversal_key(payout_id), code="transfer_reversed")
    if rules.fund_key(payout_id) not in steps:
        raise Conflict("It was not funded.", code="payout_not_funded", payout_id=payout_id)
    draft = rules.settle_payout(reserved, payout_id=payout_id)
    return post(session, draft, body=body, when=Occasion(at, workflow_id))


def return_payout(
    session: Session, *, payout_id: str, at: datetime, workflow_id: str | None = None
) -> Posted:
    """Give each lot back what was reserved of it, with its own dates; then pay any debt.

    Raises:
        NotFound: `payout_unknown`.
        Conflict: `payout_settled`, or `payout_funded`: its transfer has not come back, so the
            creator would have the money twice.
    """
    body = body_hash(kind="payout_returned")
    reserved, before, steps = _begin(session, payout_id, rules.return_key(payout_id), body)
    if before is not None:
        return before
    _refuse_after(steps, rules.settle_key(payout_id), code="payout_settled")
    if rules.reversal_key(payout_id) not in steps:
        _refuse_after(steps, rules.fund_key(payout_id), code="payout_funded")
    draft = rules.return_payout(reserved, payout_id=payout_id)
    when = Occasion(at, workflow_id)
    posted = post(session, draft, body=body, when=when)
    assert reserved.creator_id is not None
    settle_debt(
        session,
        creator_id=reserved.creator_id,
        currency=reserved.currency,
        cause=draft.event_key,
        when=when,
    )
    return posted


def find_reserved(session: Session, payout_id: str) -> Reserved | None:
    """What was reserved for a payout, whatever became of it."""
    draft = load_journal(session, rules.reserve_key(payout_id))
    return None if draft is None else _reserved(draft)


def _begin(
    session: Session, payout_id: str, event_key: str, body: bytes
) -> tuple[JournalDraft, Posted | None, frozenset[str]]:
    """The reservation, with its creator's money locked; this step, if it was posted; and the
    keys of all steps that were."""
    reserved = require_journal(session, rules.reserve_key(payout_id), code="payout_unknown")
    assert reserved.creator_id is not None
    lock_creator_money(session, reserved.creator_id)
    keys = [
        key(payout_id)
        for key in (rules.fund_key, rules.reversal_key, rules.settle_key, rules.return_key)
    ]
    steps = session.scalars(select(Journal.event_key).where(Journal.event_key.in_(keys)))
    return reserved, posted_before(session, event_key, body), frozenset(steps)


def _refuse_after(steps: frozenset[str], event_key: str, *, code: str) -> None:
    if event_key in steps:
        raise Conflict("The payout has gone another way.", code=code, event_key=event_key)
