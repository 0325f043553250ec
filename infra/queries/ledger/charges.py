"""What is posted for a charge: the sale, Stripe's fees, refunds, and refunds that failed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import insert
from sqlalchemy.orm import Session

from domain.errors import Conflict, Invalid
from domain.ledger.accounts import AccountKind
from domain.ledger.lots import Lot, next_return
from domain.ledger.postings import (
    EarningDefaults,
    SaleFacts,
    fee,
    parts_of_sale,
    refund,
    refund_failed,
    refund_failed_key,
    refund_key,
    sale,
)
from infra.models import EarningLot
from infra.queries.ledger.lots import available_lots, lock_charge, settle_debt, standing_for
from infra.queries.ledger.posting import (
    Occasion,
    Posted,
    balance_of,
    body_hash,
    lock_creator_money,
    post,
    posted_before,
    require_journal,
)


def record_sale(session: Session, facts: SaleFacts, *, defaults: EarningDefaults) -> Posted:
    """Post a paid charge, and open the lot of the creator's share.

    The fee is the one agreed on (`facts.fee_bps`), else the creator's own, else the default;
    the wait is the creator's own, else the default.

    Raises:
        Conflict: `journal_differs`; this charge was posted with other facts.
    """
    body = body_hash(
        kind="sale",
        charge_id=facts.charge_id,
        creator_id=facts.creator_id,
        source=facts.source,
        gross_minor=facts.gross_minor,
        tax_minor=facts.tax_minor,
        fee_bps=facts.fee_bps,
        currency=facts.currency,
        stripe_ref=facts.stripe_ref,
    )
    money = lock_creator_money(session, facts.creator_id)
    agreed = (facts.fee_bps, money.fee_bps, defaults.fee_bps)
    fee_bps = next(bps for bps in agreed if bps is not None)
    hold_days = defaults.hold_days if money.hold_days is None else money.hold_days
    parts = parts_of_sale(gross_minor=facts.gross_minor, tax_minor=facts.tax_minor, fee_bps=fee_bps)
    posted = post(
        session, sale(facts, parts), body=body, when=Occasion(facts.at, facts.workflow_id)
    )
    if not posted.is_new:
        return posted
    session.execute(
        insert(EarningLot).values(
            id=facts.charge_id,
            creator_id=facts.creator_id,
            currency=facts.currency,
            source=facts.source.value,
            tax_minor=parts.tax_minor,
            commission_minor=parts.commission_minor,
            amount_minor=parts.share_minor,
            earned_at=facts.at,
            available_at=facts.at + timedelta(days=hold_days),
        )
    )
    return posted


def record_fee(
    session: Session,
    *,
    txn_id: str,
    stripe_ref: str,
    fee_minor: int,
    currency: str,
    at: datetime,
    workflow_id: str | None = None,
) -> Posted | None:
    """Post Stripe's fee of one balance transaction (`txn_…`), in the currency of that.

    Args:
        stripe_ref: the source of the balance transaction.
        fee_minor: as Stripe counts it; below zero where it gives a fee back.

    Returns:
        None where there is no fee.

    Raises:
        Conflict: `journal_differs`.
    """
    if fee_minor == 0:
        return None
    body = body_hash(
        kind="fee", txn_id=txn_id, stripe_ref=stripe_ref, fee_minor=fee_minor, currency=currency
    )
    draft = fee(txn_id=txn_id, stripe_ref=stripe_ref, fee_minor=fee_minor, currency=currency)
    return post(session, draft, body=body, when=Occasion(at, workflow_id))


def record_refund(
    session: Session,
    *,
    refund_id: str,
    charge_id: str,
    amount_minor: int,
    at: datetime,
    stripe_ref: str,
    workflow_id: str | None = None,
) -> Posted:
    """Post a refund (`re_…`), of a charge's whole or of a part.

    Raises:
        NotFound: `sale_unknown`.
        Invalid: `refund_of_nothing`; the amount is not above zero.
        Conflict: `refund_exceeds_charge`; with what was refunded and is disputed it would be
            more than was paid. Or `journal_differs`.
    """
    if amount_minor <= 0:
        raise Invalid("Nothing is no refund.", code="refund_of_nothing", amount=amount_minor)
    body = body_hash(
        kind="refund", charge_id=charge_id, amount_minor=amount_minor, stripe_ref=stripe_ref
    )
    lot = lock_charge(session, charge_id)
    first = posted_before(session, refund_key(refund_id), body)
    if first is not None:
        return first
    if amount_minor > lot.returnable_minor:
        raise Conflict(
            "More would be refunded than was paid.",
            code="refund_exceeds_charge",
            charge_id=charge_id,
            wanted_minor=amount_minor,
            returnable_minor=lot.returnable_minor,
        )
    draft = refund(
        refund_id=refund_id,
        lot=lot,
        others=other_lots(session, lot, amount_minor),
        amount_minor=amount_minor,
        stripe_ref=stripe_ref,
    )
    return post(session, draft, body=body, when=Occasion(at, workflow_id))


def record_refund_failed(
    session: Session,
    *,
    refund_id: str,
    at: datetime,
    stripe_ref: str,
    workflow_id: str | None = None,
) -> Posted:
    """Take a posted refund back: its bank refused it, and Stripe has the money again.

    Raises:
        NotFound: `refund_unknown`; the refund was not posted.
        Conflict: `journal_differs`.
    """
    first = require_journal(session, refund_key(refund_id), code="refund_unknown")
    assert first.creator_id is not None
    body = body_hash(kind="refund_failed", refund_id=refund_id, stripe_ref=stripe_ref)
    lock_creator_money(session, first.creator_id)
    before = posted_before(session, refund_failed_key(refund_id), body)
    if before is not None:
        return before
    draft = refund_failed(
        first,
        refund_id=refund_id,
        standing=standing_for(session, first),
        stripe_ref=stripe_ref,
    )
    when = Occasion(at, workflow_id)
    posted = post(session, draft, body=body, when=when)
    settle_debt(
        session,
        creator_id=first.creator_id,
        currency=first.currency,
        cause=draft.event_key,
        when=when,
    )
    return posted


def refunds_shortfall(
    session: Session, *, creator_id: str, currency: str, amounts_minor: Mapping[str, int]
) -> int:
    """How much of the creator's share of these refunds nothing is there for: what would become
    their debt if all were posted now. Locks the creator's money.

    Args:
        amounts_minor: what is to go back, by charge; all of this creator and currency.
    """
    lock_creator_money(session, creator_id)
    available = balance_of(session, AccountKind.AVAILABLE, currency=currency, creator_id=creator_id)
    needed = 0
    for charge_id, amount_minor in amounts_minor.items():
        lot = lock_charge(session, charge_id)
        share = next_return(lot, min(amount_minor, lot.returnable_minor)).share_minor
        # A lot that still waits pays for its own charge only; the others are what is available.
        needed += share if lot.released else max(0, share - lot.remaining_minor)
    return max(0, needed - available)


def other_lots(session: Session, lot: Lot, amount_minor: int) -> list[Lot]:
    """What else the creator has available, where the charge's own lot does not hold their
    share of the amount."""
    share = next_return(lot, min(amount_minor, lot.returnable_minor)).share_minor
    if share <= lot.remaining_minor:
        return []
    return available_lots(
        session, creator_id=lot.creator_id, currency=lot.currency, needed_minor=share
    )
