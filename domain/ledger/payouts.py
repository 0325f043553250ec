"""What is posted on an earning's way out: release, debts, payouts. Pure, as `postings`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from domain.ids import derived_id
from domain.ledger.accounts import (
    AccountKind,
    JournalDraft,
    JournalKind,
    LotPart,
    Movement,
    entries_of,
)
from domain.ledger.lots import Lot, draw


class NoPayout(StrEnum):
    """Why nothing is reserved."""

    BLOCKED = "blocked"
    """By us; `creator_money.payouts_blocked_reason` says why."""
    DEBT = "debt"
    HOLD = "hold"
    """A part of their earnings is disputed."""
    BELOW_MINIMUM = "below_minimum"


@dataclass(frozen=True, slots=True)
class NotReserved:
    reason: NoPayout
    available_minor: int
    detail: str | None = None
    """Of `blocked`: the reason as it was written down."""


@dataclass(frozen=True, slots=True)
class Reserved:
    """What a payout pays: of each lot how much, in minor units."""

    amount_minor: int
    lots: tuple[tuple[str, int], ...]


def reserve_key(payout_id: str) -> str:
    return f"payout_reserved:{payout_id}"


def fund_key(payout_id: str) -> str:
    return f"payout_funded:{payout_id}"


def reversal_key(payout_id: str) -> str:
    return f"transfer_reversed:{payout_id}"


def settle_key(payout_id: str) -> str:
    return f"payout_settled:{payout_id}"


def return_key(payout_id: str) -> str:
    return f"payout_returned:{payout_id}"


def release(due: Sequence[Lot]) -> JournalDraft | None:
    """What remains of these lots, which wait no longer, becomes available.

    Args:
        due: pending lots of one creator and currency, one at least.

    Returns:
        None where nothing remains of any.
    """
    total = sum(lot.remaining_minor for lot in due)
    if total == 0:
        return None
    return JournalDraft(
        # A lot is released once, so the lots name the event.
        event_key=f"release:{derived_id('release', *sorted(lot.id for lot in due))}",
        kind=JournalKind.RELEASE,
        currency=due[0].currency,
        entries=entries_of((AccountKind.PENDING, -total), (AccountKind.AVAILABLE, total)),
        creator_id=due[0].creator_id,
    )


def pay_debt(
    *, cause: str, creator_id: str, currency: str, debt_minor: int, available: Sequence[Lot]
) -> JournalDraft | None:
    """What a creator owes is paid from what is available, the oldest lots first.

    Args:
        cause: event key of the journal by which there is something available now.
        debt_minor: what they owe, as an amount >= 0.

    Returns:
        None where nothing is owed, or nothing available.
    """
    drawn = draw(available, debt_minor)
    paid = debt_minor - drawn.short_minor
    if paid == 0:
        return None
    return JournalDraft(
        event_key=f"debt_paid:{cause}",
        kind=JournalKind.DEBT_PAID,
        currency=currency,
        entries=entries_of((AccountKind.AVAILABLE, -paid), (AccountKind.DEBT, paid)),
        creator_id=creator_id,
        movements=drawn.movements(LotPart.DEBT_PAID),
    )


def payable_minor(*, available_minor: int, round_to_minor: int) -> int:
    """The most that can be paid out in whole steps; the remainder stays in the lots."""
    return available_minor - available_minor % round_to_minor


def reserve_payout(*, payout_id: str, available: Sequence[Lot], amount_minor: int) -> JournalDraft:
    """Set an amount apart for a payout.

    Args:
        available: lots of one creator and currency, the oldest first, that hold the amount.

    Raises:
        ValueError: they don't.
    """
    drawn = draw(available, amount_minor)
    if drawn.short_minor:
        raise ValueError(f"{drawn.short_minor} of {amount_minor} are not available")
    return JournalDraft(
        event_key=reserve_key(payout_id),
        kind=JournalKind.PAYOUT_RESERVED,
        currency=available[0].currency,
        entries=entries_of(
            (AccountKind.AVAILABLE, -amount_minor), (AccountKind.PAYOUT_IN_FLIGHT, amount_minor)
        ),
        creator_id=available[0].creator_id,
        movements=drawn.movements(LotPart.RESERVED),
    )


def fund_payout(reserved: JournalDraft, *, payout_id: str, stripe_ref: str) -> JournalDraft:
    """The amount was transferred to the creator's account at Stripe (`tr_…`)."""
    amount = reserved.entries[AccountKind.PAYOUT_IN_FLIGHT]
    return JournalDraft(
        event_key=fund_key(payout_id),
        kind=JournalKind.PAYOUT_FUNDED,
        currency=reserved.currency,
        entries=entries_of(
            (AccountKind.STRIPE_CLEARING, amount), (AccountKind.PAYOUT_CLEARING, -amount)
        ),
        creator_id=reserved.creator_id,
        stripe_ref=stripe_ref,
    )


def reverse_transfer(funded: JournalDraft, *, payout_id: str, stripe_ref: str) -> JournalDraft:
    """The transfer came back in full (`trr_…`)."""
    return JournalDraft(
        event_key=reversal_key(payout_id),
        kind=JournalKind.TRANSFER_REVERSED,
        currency=funded.currency,
        entries={kind: -amount for kind, amount in funded.entries.items()},
        creator_id=funded.creator_id,
        stripe_ref=stripe_ref,
        reverses=funded.event_key,
    )


def settle_payout(reserved: JournalDraft, *, payout_id: str) -> JournalDraft:
    """The creator's bank has the money, for good."""
    amount = reserved.entries[AccountKind.PAYOUT_IN_FLIGHT]
    return JournalDraft(
        event_key=settle_key(payout_id),
        kind=JournalKind.PAYOUT_SETTLED,
        currency=reserved.currency,
        entries=entries_of(
            (AccountKind.PAYOUT_IN_FLIGHT, -amount), (AccountKind.PAYOUT_CLEARING, amount)
        ),
        creator_id=reserved.creator_id,
        movements=tuple(
            moved
            for each in reserved.movements
            for moved in (
                Movement(each.lot_id, LotPart.RESERVED, -each.amount_minor),
                Movement(each.lot_id, LotPart.PAID_OUT, each.amount_minor),
            )
        ),
    )


def return_payout(reserved: JournalDraft, *, payout_id: str) -> JournalDraft:
    """The payout did not happen: each lot gets back what was reserved of it, dates as before."""
    return JournalDraft(
        event_key=return_key(payout_id),
        kind=JournalKind.PAYOUT_RETURNED,
        currency=reserved.currency,
        entries={kind: -amount for kind, amount in reserved.entries.items()},
        creator_id=reserved.creator_id,
        reverses=reserved.event_key,
        movements=tuple(
            Movement(each.lot_id, each.part, -each.amount_minor) for each in reserved.movements
        ),
    )


def write_off(
    *, write_off_id: str, creator_id: str, currency: str, amount_minor: int
) -> JournalDraft:
    """Give up an amount (above zero) that a creator owes."""
    return JournalDraft(
        event_key=f"write_off:{write_off_id}",
        kind=JournalKind.WRITE_OFF,
        currency=currency,
        entries=entries_of((AccountKind.DEBT, amount_minor), (AccountKind.BAD_DEBT, -amount_minor)),
        creator_id=creator_id,
    )
