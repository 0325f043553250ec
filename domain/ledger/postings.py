"""What each event of a charge posts. Pure: facts and lots in, a journal that balances out.

Names of the amounts: a charge's gross is its tax, the platform's commission and the creator's
share. A refund or dispute is borne by these three in the sale's proportions
(`domain.ledger.lots.next_return`); the creator's part comes from the charge's own lot, then
from what else is available to them, the oldest first, and what is missing becomes debt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.errors import Invalid
from domain.ledger.accounts import (
    AccountKind,
    JournalDraft,
    JournalKind,
    LotPart,
    Movement,
    entries_of,
)
from domain.ledger.lots import Lot, Parts, Standing, draw, forgive, next_return
from domain.money import exponent_of, share_of


class SaleSource(StrEnum):
    SUBSCRIPTION = "subscription"
    UNLOCK = "unlock"
    TIP = "tip"
    GIFT = "gift"


@dataclass(frozen=True, slots=True)
class SaleFacts:
    """A charge that was paid. `fee_bps` where it was agreed on before; else the creator's."""

    charge_id: str
    creator_id: str
    source: SaleSource
    gross_minor: int
    """What the fan paid, tax included."""
    tax_minor: int
    fee_bps: int | None
    """The platform's part of what is left after tax, in basis points."""
    currency: str
    at: datetime
    workflow_id: str | None
    stripe_ref: str
    """The Stripe charge, `ch_…`."""

    def __post_init__(self) -> None:
        exponent_of(self.currency)
        if self.gross_minor <= 0:
            raise Invalid("A price of nothing is no sale.", code="no_sale", gross=self.gross_minor)
        if not 0 <= self.tax_minor < self.gross_minor:
            raise Invalid("The tax is a part of the price.", code="tax_unfit", tax=self.tax_minor)


@dataclass(frozen=True, slots=True)
class EarningDefaults:
    """What holds for creators for whom nothing else is written."""

    fee_bps: int = 2000
    hold_days: int = 7


def sale_key(charge_id: str) -> str:
    return f"sale:{charge_id}"


def refund_key(refund_id: str) -> str:
    return f"refund:{refund_id}"


def refund_failed_key(refund_id: str) -> str:
    return f"refund_failed:{refund_id}"


def dispute_key(dispute_id: str) -> str:
    return f"dispute_opened:{dispute_id}"


def closed_key(dispute_id: str) -> str:
    """One key for both ends, so that a hold ends once."""
    return f"dispute_closed:{dispute_id}"


def parts_of_sale(*, gross_minor: int, tax_minor: int, fee_bps: int) -> Parts:
    """The commission is `fee_bps` of what is left after tax; the creator gets the rest."""
    commission = share_of(gross_minor - tax_minor, fee_bps)
    return Parts(tax_minor, commission, gross_minor - tax_minor - commission)


def sale(facts: SaleFacts, parts: Parts) -> JournalDraft:
    """Of a subscription, an unlock, a tip or a gift alike."""
    return JournalDraft(
        event_key=sale_key(facts.charge_id),
        kind=JournalKind.SALE,
        currency=facts.currency,
        entries=entries_of(
            (AccountKind.STRIPE_CLEARING, -parts.gross_minor),
            (AccountKind.TAX_PAYABLE, parts.tax_minor),
            (AccountKind.COMMISSION, parts.commission_minor),
            (AccountKind.PENDING, parts.share_minor),
        ),
        creator_id=facts.creator_id,
        charge_id=facts.charge_id,
        stripe_ref=facts.stripe_ref,
    )


def fee(*, txn_id: str, stripe_ref: str, fee_minor: int, currency: str) -> JournalDraft:
    """Stripe's fee of one balance transaction, not zero; below zero where it gives one back."""
    return JournalDraft(
        event_key=f"fee:{txn_id}",
        kind=JournalKind.FEE,
        currency=currency,
        entries=entries_of(
            (AccountKind.STRIPE_CLEARING, fee_minor), (AccountKind.STRIPE_FEES, -fee_minor)
        ),
        stripe_ref=stripe_ref,
    )


def refund(
    *, refund_id: str, lot: Lot, others: Sequence[Lot], amount_minor: int, stripe_ref: str
) -> JournalDraft:
    """`amount_minor` (above zero, up to what is returnable) of a charge goes back to the fan.

    Args:
        lot: the charge's own.
        others: the creator's available lots of this currency, the oldest first.
    """
    parts = next_return(lot, amount_minor)
    drawn = draw([lot, *others], parts.share_minor)
    return JournalDraft(
        event_key=refund_key(refund_id),
        kind=JournalKind.REFUND,
        currency=lot.currency,
        entries=entries_of(
            (AccountKind.STRIPE_CLEARING, amount_minor),
            (AccountKind.TAX_PAYABLE, -parts.tax_minor),
            (AccountKind.COMMISSION, -parts.commission_minor),
            *drawn.postings(),
        ),
        creator_id=lot.creator_id,
        charge_id=lot.id,
        stripe_ref=stripe_ref,
        movements=(*_returned(lot, parts), *drawn.movements(LotPart.REFUNDED)),
    )


def refund_failed(
    first: JournalDraft, *, refund_id: str, standing: Standing, stripe_ref: str
) -> JournalDraft:
    """The fan's bank sent a refund back. Everything that it took is given back.

    Args:
        first: the refund's journal.
    """
    postings, movements = _give_back(first, standing, LotPart.REFUNDED)
    return JournalDraft(
        event_key=refund_failed_key(refund_id),
        kind=JournalKind.REFUND_FAILED,
        currency=first.currency,
        entries=entries_of(
            (AccountKind.STRIPE_CLEARING, -first.entries[AccountKind.STRIPE_CLEARING]),
            (AccountKind.TAX_PAYABLE, -first.entries.get(AccountKind.TAX_PAYABLE, 0)),
            (AccountKind.COMMISSION, -first.entries.get(AccountKind.COMMISSION, 0)),
            *postings,
        ),
        creator_id=first.creator_id,
        charge_id=first.charge_id,
        stripe_ref=stripe_ref,
        reverses=first.event_key,
        movements=(*_undone(first, _RETURNS), *movements),
    )


def dispute_opened(
    *,
    dispute_id: str,
    lot: Lot,
    others: Sequence[Lot],
    amount_minor: int,
    fee_minor: int,
    stripe_ref: str,
) -> JournalDraft:
    """Stripe took `amount_minor` (above zero) and a fee; the creator's share of it is held.

    What the creator's lots can't hold is debt from now on, so that what they earn meanwhile is
    held for it. A dispute may ask for more than was left to be returned (a part was refunded
    before): the creator's share is of what was left, and the rest is ours to lose.
    """
    parts = next_return(lot, min(amount_minor, lot.returnable_minor))
    drawn = draw([lot, *others], parts.share_minor)
    return JournalDraft(
        event_key=dispute_key(dispute_id),
        kind=JournalKind.DISPUTE_OPENED,
        currency=lot.currency,
        entries=entries_of(
            (AccountKind.STRIPE_CLEARING, amount_minor + fee_minor),
            (AccountKind.DISPUTE_RECEIVABLE, -amount_minor),
            (AccountKind.STRIPE_FEES, -fee_minor),
            (AccountKind.DISPUTE_HOLD, parts.share_minor),
            *drawn.postings(),
        ),
        creator_id=lot.creator_id,
        charge_id=lot.id,
        stripe_ref=stripe_ref,
        movements=(*_returned(lot, parts), *drawn.movements(LotPart.HELD)),
    )


def dispute_won(
    opened: JournalDraft,
    *,
    dispute_id: str,
    standing: Standing,
    fee_returned_minor: int,
    stripe_ref: str,
) -> JournalDraft:
    """Stripe gave the amount back, and of its fee what it says; the hold ends."""
    amount = -opened.entries[AccountKind.DISPUTE_RECEIVABLE]
    postings, movements = _give_back(opened, standing, LotPart.HELD)
    return JournalDraft(
        event_key=closed_key(dispute_id),
        kind=JournalKind.DISPUTE_WON,
        currency=opened.currency,
        entries=entries_of(
            (AccountKind.STRIPE_CLEARING, -amount - fee_returned_minor),
            (AccountKind.DISPUTE_RECEIVABLE, amount),
            (AccountKind.STRIPE_FEES, fee_returned_minor),
            (AccountKind.DISPUTE_HOLD, -opened.entries.get(AccountKind.DISPUTE_HOLD, 0)),
            *postings,
        ),
        creator_id=opened.creator_id,
        charge_id=opened.charge_id,
        stripe_ref=stripe_ref,
        reverses=opened.event_key,
        movements=(*_undone(opened, _RETURNS), *movements),
    )


def dispute_lost(
    opened: JournalDraft,
    *,
    dispute_id: str,
    available: Sequence[Lot],
    creator_fee_minor: int,
    stripe_ref: str,
) -> JournalDraft:
    """The amount is gone: tax, commission and what was held of the creator's share bear it.

    Args:
        available: the creator's available lots of this currency, the oldest first.
        creator_fee_minor: how much of the dispute's fee the creator bears, by policy.
    """
    amount = -opened.entries[AccountKind.DISPUTE_RECEIVABLE]
    parts = _sum_of(opened, _RETURNS)
    charged = draw(available, creator_fee_minor)
    consumed = [
        moved
        for held in opened.movements
        if held.part is LotPart.HELD
        for moved in (
            Movement(held.lot_id, LotPart.HELD, -held.amount_minor),
            Movement(held.lot_id, LotPart.REFUNDED, held.amount_minor),
        )
    ]
    return JournalDraft(
        event_key=closed_key(dispute_id),
        kind=JournalKind.DISPUTE_LOST,
        currency=opened.currency,
        entries=entries_of(
            (AccountKind.DISPUTE_RECEIVABLE, amount),
            (AccountKind.TAX_PAYABLE, -parts.tax_minor),
            (AccountKind.COMMISSION, -parts.commission_minor),
            (AccountKind.DISPUTE_HOLD, -parts.share_minor),
            (AccountKind.BAD_DEBT, parts.gross_minor - amount),
            (AccountKind.STRIPE_FEES, creator_fee_minor),
            *charged.postings(),
        ),
        creator_id=opened.creator_id,
        charge_id=opened.charge_id,
        stripe_ref=stripe_ref,
        movements=(*consumed, *charged.movements(LotPart.REFUNDED)),
    )


_RETURNS = (LotPart.RETURNED_TAX, LotPart.RETURNED_COMMISSION, LotPart.RETURNED_SHARE)


def _returned(lot: Lot, parts: Parts) -> tuple[Movement, ...]:
    amounts = (parts.tax_minor, parts.commission_minor, parts.share_minor)
    moved = zip(_RETURNS, amounts, strict=True)
    return tuple(Movement(lot.id, part, amount) for part, amount in moved if amount)


def _sum_of(draft: JournalDraft, parts: Sequence[LotPart]) -> Parts:
    sums = [sum(m.amount_minor for m in draft.movements if m.part is part) for part in parts]
    return Parts(*sums)


def _undone(draft: JournalDraft, parts: Sequence[LotPart]) -> tuple[Movement, ...]:
    return tuple(
        Movement(each.lot_id, each.part, -each.amount_minor)
        for each in draft.movements
        if each.part in parts
    )


def _give_back(
    first: JournalDraft, standing: Standing, part: LotPart
) -> tuple[list[tuple[AccountKind, int]], tuple[Movement, ...]]:
    """To each lot what was taken from it, to where the lot is now; and what became debt."""
    undone = _undone(first, (part,))
    postings = [(standing.lot(each.lot_id).account, -each.amount_minor) for each in undone]
    forgiven, from_debt = forgive(standing, -first.entries.get(AccountKind.DEBT, 0))
    return [*postings, *forgiven], (*undone, *from_debt)
