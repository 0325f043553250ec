"""A ledger in memory, and a play of whatever can happen to one creator's money in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from random import Random
from typing import TypeVar

from domain.ledger.accounts import AccountKind, JournalDraft, LotPart, Movement
from domain.ledger.lots import Lot, Parts, Standing
from domain.ledger.payouts import (
    fund_payout,
    pay_debt,
    release,
    reserve_payout,
    return_payout,
    reverse_transfer,
    settle_payout,
    write_off,
)
from domain.ledger.postings import (
    SaleFacts,
    SaleSource,
    dispute_lost,
    dispute_opened,
    dispute_won,
    fee,
    parts_of_sale,
    refund,
    refund_failed,
    sale,
)

Item = TypeVar("Item")
NOW = datetime(2030, 1, 1, tzinfo=UTC)


@dataclass
class Shelf:
    """A ledger in memory: applies drafts, and holds them to every rule."""

    balances: dict[AccountKind, int] = field(default_factory=dict)
    lots: dict[str, Lot] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)

    def apply(self, draft: JournalDraft) -> JournalDraft:
        assert draft.event_key not in self.keys
        self.keys.add(draft.event_key)
        for kind, amount in draft.entries.items():
            self.balances[kind] = self.balances.get(kind, 0) + amount
        for moved in draft.movements:
            self.lots[moved.lot_id] = _moved(self.lots[moved.lot_id], moved)
        return draft

    def settle_debt(self, cause: JournalDraft) -> None:
        paid = pay_debt(
            cause=cause.event_key,
            creator_id="creator",
            currency="USD",
            debt_minor=-self.of(AccountKind.DEBT),
            available=self.available(),
        )
        if paid is not None:
            self.apply(paid)

    def of(self, kind: AccountKind) -> int:
        return self.balances.get(kind, 0)

    def available(self) -> list[Lot]:
        return [lot for lot in self.lots.values() if lot.released and lot.remaining_minor]

    def standing(self) -> Standing:
        return Standing(-self.of(AccountKind.DEBT), list(reversed(self.lots.values())))

    def check(self) -> None:
        assert sum(self.balances.values()) == 0
        for kind, amount in self.balances.items():
            assert kind.allow_negative or amount >= 0, (kind, amount)
            assert kind.allow_positive or amount <= 0, (kind, amount)
        lots = self.lots.values()
        assert self.of(AccountKind.PENDING) == sum(
            lot.remaining_minor for lot in lots if not lot.released
        )
        assert self.of(AccountKind.AVAILABLE) == sum(
            lot.remaining_minor for lot in lots if lot.released
        )
        assert self.of(AccountKind.PAYOUT_IN_FLIGHT) == sum(lot.reserved_minor for lot in lots)
        assert self.of(AccountKind.DISPUTE_HOLD) >= sum(lot.held_minor for lot in lots)
        assert self.of(AccountKind.AVAILABLE) == 0 or self.of(AccountKind.DEBT) == 0
        for lot in lots:
            assert lot.remaining_minor >= 0
            assert (
                min(lot.refunded_minor, lot.reserved_minor, lot.paid_out_minor, lot.held_minor) >= 0
            )
            assert lot.debt_paid_minor >= 0


def _moved(lot: Lot, moved: Movement) -> Lot:
    returned = {
        LotPart.RETURNED_TAX: Parts(moved.amount_minor, 0, 0),
        LotPart.RETURNED_COMMISSION: Parts(0, moved.amount_minor, 0),
        LotPart.RETURNED_SHARE: Parts(0, 0, moved.amount_minor),
    }
    if moved.part in returned:
        return replace(lot, returned=lot.returned + returned[moved.part])
    name = f"{moved.part}_minor"
    return replace(lot, **{name: getattr(lot, name) + moved.amount_minor})


class Play:
    """Draws what happens next, and keeps what can still be taken back."""

    def __init__(self, random: Random) -> None:
        self.random, self.shelf, self.count = random, Shelf(), 0
        self.refunds: list[JournalDraft] = []
        self.disputes: list[JournalDraft] = []
        self.reserved: list[JournalDraft] = []
        self.funded: list[tuple[JournalDraft, JournalDraft]] = []

    def step(self) -> None:
        acts: list[Callable[[], None]] = [self.sell, self.sell, self.pay_fee, self.release]
        acts += [self.refund, self.dispute] if self.shelf.lots else []
        acts += [self.fail_refund] if self.refunds else []
        acts += [self.win, self.lose] if self.disputes else []
        acts += [self.reserve] if self.shelf.of(AccountKind.AVAILABLE) else []
        acts += [self.fund, self.give_back] if self.reserved else []
        acts += [self.settle, self.reverse] if self.funded else []
        acts += [self.write_off] if self.shelf.of(AccountKind.DEBT) else []
        self.count += 1
        self.random.choice(acts)()
        self.shelf.check()

    def up_to(self, most: int) -> int:
        return self.random.randint(1, most)

    def some(self, items: list[Item]) -> Item:
        return items.pop(self.random.randint(0, len(items) - 1))

    @property
    def name(self) -> str:
        return f"{self.count:04}"

    def sell(self) -> None:
        gross = self.up_to(2000)
        tax = self.random.randint(0, gross - 1)
        bps = self.random.choice([0, 1500, 2000, 3333, 10_000])
        facts = SaleFacts(
            charge_id=self.name,
            creator_id="creator",
            source=SaleSource.TIP,
            gross_minor=gross,
            tax_minor=tax,
            fee_bps=None,
            currency="USD",
            at=NOW,
            workflow_id=None,
            stripe_ref="ch",
        )
        parts = parts_of_sale(gross_minor=gross, tax_minor=tax, fee_bps=bps)
        self.shelf.apply(sale(facts, parts))
        self.shelf.lots[self.name] = Lot(self.name, "creator", "USD", parts, released=False)

    def pay_fee(self) -> None:
        amount = self.up_to(100) * self.random.choice([1, -1])
        self.shelf.apply(fee(txn_id=self.name, stripe_ref="ch", fee_minor=amount, currency="USD"))

    def release(self) -> None:
        waiting = [lot for lot in self.shelf.lots.values() if not lot.released]
        due = waiting[: self.random.randint(0, len(waiting))]
        draft = release(due) if due else None
        for lot in due:
            self.shelf.lots[lot.id] = replace(lot, released=True)
        if draft is not None:
            self.shelf.settle_debt(self.shelf.apply(draft))

    def refund(self) -> None:
        lot = self.random.choice(list(self.shelf.lots.values()))
        if lot.returnable_minor:
            draft = refund(
                refund_id=self.name,
                lot=lot,
                others=self.shelf.available(),
                amount_minor=self.up_to(lot.returnable_minor),
                stripe_ref="re",
            )
            self.refunds.append(self.shelf.apply(draft))

    def fail_refund(self) -> None:
        draft = refund_failed(
            self.some(self.refunds),
            refund_id=self.name,
            standing=self.shelf.standing(),
            stripe_ref="re",
        )
        self.shelf.settle_debt(self.shelf.apply(draft))

    def dispute(self) -> None:
        lot = self.random.choice(list(self.shelf.lots.values()))
        draft = dispute_opened(
            dispute_id=self.name,
            lot=lot,
            others=self.shelf.available(),
            amount_minor=self.up_to(lot.sale.gross_minor),
            fee_minor=self.random.choice([0, 150]),
            stripe_ref="dp",
        )
        self.disputes.append(self.shelf.apply(draft))

    def win(self) -> None:
        draft = dispute_won(
            self.some(self.disputes),
            dispute_id=self.name,
            standing=self.shelf.standing(),
            fee_returned_minor=self.random.choice([0, 150]),
            stripe_ref="dp",
        )
        self.shelf.settle_debt(self.shelf.apply(draft))

    def lose(self) -> None:
        draft = dispute_lost(
            self.some(self.disputes),
            dispute_id=self.name,
            available=self.shelf.available(),
            creator_fee_minor=self.random.choice([0, 150]),
            stripe_ref="dp",
        )
        self.shelf.apply(draft)

    def reserve(self) -> None:
        draft = reserve_payout(
            payout_id=self.name,
            available=self.shelf.available(),
            amount_minor=self.up_to(self.shelf.of(AccountKind.AVAILABLE)),
        )
        self.reserved.append(self.shelf.apply(draft))

    def fund(self) -> None:
        reserved = self.some(self.reserved)
        draft = fund_payout(reserved, payout_id=self.name, stripe_ref="tr")
        self.funded.append((reserved, self.shelf.apply(draft)))

    def settle(self) -> None:
        reserved, _ = self.some(self.funded)
        self.shelf.apply(settle_payout(reserved, payout_id=self.name))

    def reverse(self) -> None:
        reserved, funded = self.some(self.funded)
        self.shelf.apply(reverse_transfer(funded, payout_id=self.name, stripe_ref="trr"))
        self.reserved.append(reserved)

    def give_back(self) -> None:
        draft = return_payout(self.some(self.reserved), payout_id=self.name)
        self.shelf.settle_debt(self.shelf.apply(draft))

    def write_off(self) -> None:
        draft = write_off(
            write_off_id=self.name,
            creator_id="creator",
            currency="USD",
            amount_minor=self.up_to(-self.shelf.of(AccountKind.DEBT)),
        )
        self.shelf.apply(draft)

    def end(self) -> None:
        """Everything under way is taken back, all is released and refunded: what is left is
        what was paid out, spent on fees, or lost."""
        while self.disputes:
            self.count += 1
            self.win()
            self.shelf.check()
        while self.funded:
            self.count += 1
            self.reverse()
        while self.reserved:
            self.count += 1
            self.give_back()
            self.shelf.check()
        for lot_id in list(self.shelf.lots):
            self.count += 1
            lot = self.shelf.lots[lot_id]
            if lot.returnable_minor:
                draft = refund(
                    refund_id=self.name,
                    lot=lot,
                    others=self.shelf.available(),
                    amount_minor=lot.returnable_minor,
                    stripe_ref="re",
                )
                self.shelf.apply(draft)
            assert self.shelf.lots[lot_id].returned == lot.sale
            self.shelf.check()
        assert self.shelf.of(AccountKind.COMMISSION) == 0
        assert self.shelf.of(AccountKind.TAX_PAYABLE) == 0
