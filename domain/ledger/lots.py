"""Earning lots: one for each paid charge, with the creator's share and what became of it.

A lot is never joined with another one, so it is always known which sale a payout pays, and a
payout that fails gives each lot back what it took from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from domain.ledger.accounts import AccountKind, LotPart, Movement
from domain.money import split_by_weights


@dataclass(frozen=True, slots=True)
class Parts:
    """A charge's amount, split: what tax offices, we and the creator get. In minor units."""

    tax_minor: int
    commission_minor: int
    share_minor: int

    @property
    def gross_minor(self) -> int:
        return self.tax_minor + self.commission_minor + self.share_minor

    def __add__(self, other: Parts) -> Parts:
        return Parts(
            self.tax_minor + other.tax_minor,
            self.commission_minor + other.commission_minor,
            self.share_minor + other.share_minor,
        )

    def __sub__(self, other: Parts) -> Parts:
        return Parts(
            self.tax_minor - other.tax_minor,
            self.commission_minor - other.commission_minor,
            self.share_minor - other.share_minor,
        )


NOTHING = Parts(0, 0, 0)


@dataclass(frozen=True, slots=True)
class Lot:
    """A lot as its row stands. Amounts in minor units of its currency."""

    id: str
    """The charge's."""
    creator_id: str
    currency: str
    sale: Parts
    released: bool
    """Is what remains of it in `available`? Until then it is in `pending`."""
    returned: Parts = NOTHING
    """Of this charge: refunded, disputed, or lost by a dispute."""
    refunded_minor: int = 0
    reserved_minor: int = 0
    paid_out_minor: int = 0
    held_minor: int = 0
    debt_paid_minor: int = 0

    @property
    def remaining_minor(self) -> int:
        gone = self.refunded_minor + self.reserved_minor + self.paid_out_minor
        return self.sale.share_minor - gone - self.held_minor - self.debt_paid_minor

    @property
    def returnable_minor(self) -> int:
        """What of the charge can still go back to the fan, tax and commission included."""
        return self.sale.gross_minor - self.returned.gross_minor

    @property
    def account(self) -> AccountKind:
        return AccountKind.AVAILABLE if self.released else AccountKind.PENDING


def next_return(lot: Lot, amount_minor: int) -> Parts:
    """How `amount_minor`, which goes back to the fan now, is borne by the parts of the sale.

    After each return the parts stand as the sale's own proportions say for the sum of all
    returns: the tax's part of it by largest remainder, then the commission's part of the rest.
    Two at a time, since the largest remainder of three could take back a unit when the sum
    grows. Whatever the sizes, the last return ends exactly at the sale's parts; no part is
    negative, and none takes more than is left of it.

    Raises:
        ValueError: the amount is negative, or more than can be returned.
    """
    if not 0 <= amount_minor <= lot.returnable_minor:
        raise ValueError(f"{amount_minor} of {lot.returnable_minor} can't be returned")
    if amount_minor == 0:
        return NOTHING
    sale, left = lot.sale, lot.sale - lot.returned
    total = lot.returned.gross_minor + amount_minor
    net_total = sale.commission_minor + sale.share_minor
    tax_target = split_by_weights(total, [sale.tax_minor, net_total])[0]
    # A refund that failed may have left the parts a unit beside the proportions.
    tax = _within(
        tax_target - lot.returned.tax_minor,
        most=min(amount_minor, left.tax_minor),
    )
    net = amount_minor - tax
    if net == 0:
        return Parts(tax, 0, 0)
    net_returned = lot.returned.commission_minor + lot.returned.share_minor + net
    weights = [sale.commission_minor, sale.share_minor]
    commission = _within(
        split_by_weights(net_returned, weights)[0] - lot.returned.commission_minor,
        most=min(net, left.commission_minor),
    )
    return Parts(tax, commission, net - commission)


def _within(wanted: int, *, most: int) -> int:
    # Never too little for the rest to bear: a sum up to the whole, in proportion, leaves the
    # other part no more than it has.
    return max(0, min(wanted, most))


@dataclass(frozen=True, slots=True)
class Drawn:
    """What was found in lots, and what was not."""

    takings: tuple[tuple[Lot, int], ...]
    """Each lot with the amount to be taken from it, above zero."""
    short_minor: int

    def movements(self, part: LotPart) -> tuple[Movement, ...]:
        return tuple(Movement(lot.id, part, amount) for lot, amount in self.takings)

    def postings(self) -> list[tuple[AccountKind, int]]:
        """Debits where the lots are, and the shortfall as debt."""
        taken = [(lot.account, -amount) for lot, amount in self.takings]
        return [*taken, (AccountKind.DEBT, -self.short_minor)]


def draw(lots: Iterable[Lot], amount_minor: int) -> Drawn:
    """Take an amount from lots in their order, from each what remains of it.

    A lot that comes twice is drawn from once.
    """
    takings: dict[str, tuple[Lot, int]] = {}
    wanted = amount_minor
    for lot in lots:
        taken = min(wanted, lot.remaining_minor)
        if taken > 0 and lot.id not in takings:
            takings[lot.id] = (lot, taken)
            wanted -= taken
    return Drawn(tuple(takings.values()), wanted)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a creator stands in one currency, as far as giving back needs to know."""

    debt_minor: int
    """What they owe, as an amount >= 0."""
    lots: Sequence[Lot]
    """Those that are given back to, and those that have paid debts, the newest first."""

    def lot(self, lot_id: str) -> Lot:
        return next(lot for lot in self.lots if lot.id == lot_id)


def forgive(
    standing: Standing, amount_minor: int
) -> tuple[list[tuple[AccountKind, int]], list[Movement]]:
    """Take back a debt of `amount_minor` that turned out not to be one.

    What is still owed is owed no more. What lots have paid of it meanwhile they get back, the
    newest first; what was written off lowers our loss.

    Returns:
        the postings, which sum to `amount_minor`, and the movements.
    """
    owed = min(amount_minor, standing.debt_minor)
    postings, movements = [(AccountKind.DEBT, owed)], []
    rest = amount_minor - owed
    for lot in standing.lots:
        given = min(rest, lot.debt_paid_minor)
        if given > 0:
            postings.append((lot.account, given))
            movements.append(Movement(lot.id, LotPart.DEBT_PAID, -given))
            rest -= given
    return [*postings, (AccountKind.BAD_DEBT, rest)], movements
