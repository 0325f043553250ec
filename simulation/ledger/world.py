"""Sales, fees, refunds, disputes and payouts, posted as their facts come in."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import cast

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from devstack.rules.broken import Break
from devstack.rules.ledger import broken_rules, held_for_us
from domain.accounts import Role
from domain.errors import FansworldError
from domain.ids import derived_id
from domain.ledger.accounts import OwnerType
from domain.ledger.payouts import Reserved
from domain.ledger.postings import EarningDefaults, SaleFacts, SaleSource
from infra.db import transaction
from infra.models import Creator, User
from infra.queries import ledger
from simulation.worlds import Json, Step

BEGAN = datetime(2030, 1, 31, 12, tzinfo=UTC)
CURRENCIES = ("USD", "JPY")
CREATORS = 3
DEFAULTS = EarningDefaults(fee_bps=2000, hold_days=7)

Doing = Callable[[Session], Callable[[], None] | None]
"""Posts, and returns what is to be remembered once that is committed."""


class Cut(Exception):
    """The process dies before its transaction is committed."""


@dataclass
class Subject:
    """What later events may speak of."""

    id: str
    currency: str
    creator_id: str
    amount_minor: int = 0
    ref: str = ""


@dataclass
class LedgerWorld:
    """A step is an event: `which` and `amount` pick its subject and its part of it."""

    engine: Engine
    seed: int
    now: datetime = BEGAN
    counts: Counter[str] = field(default_factory=Counter)
    at_stripe: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    """What Stripe holds for us, by `stripe_ref`: told by the steps, not by the ledger."""
    sales: list[Subject] = field(default_factory=list)
    refunds: list[Subject] = field(default_factory=list)
    disputes: list[Subject] = field(default_factory=list)
    payouts: list[Subject] = field(default_factory=list)
    history: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.creators = [self.new_id("creator", number) for number in range(CREATORS)]
        with transaction(self.engine) as session:
            for number, creator_id in enumerate(self.creators):
                handle = f"creator-{number}"
                session.add(
                    User(id=creator_id, handle=handle, display_name=handle, role=Role.CREATOR.value)
                )
                session.flush()
                session.add(Creator(user_id=creator_id))

    def new_id(self, kind: str, number: int) -> str:
        return derived_id("simulation", kind, str(number))

    # --- steps --------------------------------------------------------------------------------

    async def offer(self, dice: Random) -> Step:
        acts = ["sale"] * 4 + ["refund"] * 3 + ["pass"] * 3 + ["payout"] * 2 + ["dispute"] * 2
        acts += ["payout_step"] * 4 + ["dispute_end", "dispute_end", "refund_failed", "terms"]
        acts += ["write_off"]
        data: dict[str, Json] = {
            "which": dice.randrange(1 << 16),
            "amount": dice.randrange(1, 10_001),
            "choice": dice.randrange(1 << 16),
        }
        fault = dice.choice([None, None, None, "cut", "twice"])
        if fault is not None:
            data["fault"] = fault
        return Step(dice.choice(acts), data)

    async def take(self, step: Step) -> None:
        which, amount, choice = (
            cast(int, step.data[name]) for name in ("which", "amount", "choice")
        )
        if step.act == "pass":
            return self._pass(timedelta(hours=amount % 240))
        doing = self._doing(step.act, which, amount, choice)
        if doing is None:
            return
        self.counts[step.act] += 1
        fault = step.data.get("fault")
        if fault is not None:
            self.counts[f"fault: {fault}"] += 1
        if fault == "cut":
            self._commit(step, doing, cut=True)
        for _ in range(2 if fault == "twice" else 1):
            self._commit(step, doing, cut=False)

    def _commit(self, step: Step, doing: Doing, *, cut: bool) -> None:
        try:
            with transaction(self.engine) as session:
                remember = doing(session)
                if cut:
                    raise Cut
        except Cut:
            self.history.append(f"{step.act} cut")
        except FansworldError as error:
            self.counts[f"refused: {error.code}"] += 1
            self.history.append(f"{step.act} {error.code}")
        else:
            self.history.append(f"{step.act} {self.now:%F %T}")
            if remember is not None:
                remember()

    def _pass(self, duration: timedelta) -> None:
        self.now += duration
        with transaction(self.engine) as session:
            due = ledger.creators_due(session, at=self.now, limit=100)
        for creator_id in due:
            with transaction(self.engine) as session:
                ledger.release_due(session, creator_id=creator_id, at=self.now)

    async def settle(self) -> None:
        """Nothing is under way between two postings."""

    async def check(self, *, settled: bool) -> list[Break]:
        del settled
        with transaction(self.engine) as session:
            broken = broken_rules(session)
            held = held_for_us(session)
        expected = {ref: amount for ref, amount in self.at_stripe.items() if amount}
        if {ref: amount for ref, amount in held.items() if amount} != expected:
            differing = sorted(
                f"{ref}: {held.get(ref, 0)} in the ledger, {self.at_stripe.get(ref, 0)} at Stripe"
                for ref in held.keys() | expected.keys()
                if held.get(ref, 0) != self.at_stripe.get(ref, 0)
            )
            broken.append(Break("the ledger equals Stripe's balance", "\n".join(differing)))
        return broken

    def digest(self) -> str:
        return hashlib.sha256("\n".join(self.history).encode()).hexdigest()

    # --- events -------------------------------------------------------------------------------

    def _doing(self, act: str, which: int, amount: int, choice: int) -> Doing | None:
        match act:
            case "sale":
                return self._sale(which, amount, choice)
            case "terms":
                return self._terms(which, choice)
            case "write_off":
                return self._write_off(which, amount, choice)
            case "payout":
                return self._payout(which, amount, choice)
            case "refund" | "dispute" if self.sales:
                sale = self.sales[which % len(self.sales)]
                part = sale.amount_minor if choice % 3 == 0 else 1 + amount % sale.amount_minor
                return self._refund(sale, part) if act == "refund" else self._dispute(sale, part)
            case "refund_failed" if self.refunds:
                return self._refund_failed(self.refunds[which % len(self.refunds)])
            case "dispute_end" if self.disputes:
                return self._dispute_end(self.disputes[which % len(self.disputes)], choice)
            case "payout_step" if self.payouts:
                return self._payout_step(self.payouts[which % len(self.payouts)], choice)
        return None

    def _sale(self, which: int, amount: int, choice: int) -> Doing:
        number = len(self.sales)
        facts = SaleFacts(
            charge_id=self.new_id("charge", number),
            creator_id=self.creators[which % CREATORS],
            source=list(SaleSource)[choice % len(SaleSource)],
            gross_minor=amount,
            tax_minor=(amount - 1) * (choice % 25) // 100,
            fee_bps=None if choice % 4 else choice % 10_001,
            currency=CURRENCIES[choice % len(CURRENCIES)],
            at=self.now,
            workflow_id=None,
            stripe_ref=f"ch_{number}",
        )
        fee_minor = amount * 29 // 1000 + 30
        sale = Subject(facts.charge_id, facts.currency, facts.creator_id, amount, facts.stripe_ref)

        def post(session: Session) -> Callable[[], None] | None:
            posted = ledger.record_sale(session, facts, defaults=DEFAULTS)
            ledger.record_fee(
                session,
                txn_id=f"txn_{number}",
                stripe_ref=facts.stripe_ref,
                fee_minor=fee_minor,
                currency=facts.currency,
                at=self.now,
            )
            return (
                (lambda: self._keep(self.sales, sale, amount - fee_minor))
                if posted.is_new
                else None
            )

        return post

    def _refund(self, sale: Subject, part: int) -> Doing:
        number = len(self.refunds)
        refund = Subject(
            self.new_id("refund", number), sale.currency, sale.creator_id, part, f"re_{number}"
        )

        def post(session: Session) -> Callable[[], None] | None:
            posted = ledger.record_refund(
                session,
                refund_id=refund.id,
                charge_id=sale.id,
                amount_minor=part,
                at=self.now,
                stripe_ref=refund.ref,
            )
            return (lambda: self._keep(self.refunds, refund, -part)) if posted.is_new else None

        return post

    def _refund_failed(self, refund: Subject) -> Doing:
        def post(session: Session) -> Callable[[], None] | None:
            posted = ledger.record_refund_failed(
                session, refund_id=refund.id, at=self.now, stripe_ref=refund.ref
            )
            return (lambda: self._hold(refund.ref, refund.amount_minor)) if posted.is_new else None

        return post

    def _dispute(self, sale: Subject, part: int) -> Doing:
        number = len(self.disputes)
        dispute = Subject(
            self.new_id("dispute", number), sale.currency, sale.creator_id, part, f"dp_{number}"
        )

        def post(session: Session) -> Callable[[], None] | None:
            posted = ledger.open_dispute(
                session,
                dispute_id=dispute.id,
                charge_id=sale.id,
                amount_minor=part,
                fee_minor=1500,
                at=self.now,
                stripe_ref=dispute.ref,
            )
            if not posted.is_new:
                return None
            return lambda: self._keep(self.disputes, dispute, -part - 1500)

        return post

    def _dispute_end(self, dispute: Subject, choice: int) -> Doing:
        def win(session: Session) -> Callable[[], None] | None:
            returned = 1500 if choice % 5 == 0 else 0
            posted = ledger.win_dispute(
                session,
                dispute_id=dispute.id,
                at=self.now,
                stripe_ref=dispute.ref,
                fee_returned_minor=returned,
            )
            back = dispute.amount_minor + returned
            return (lambda: self._hold(dispute.ref, back)) if posted.is_new else None

        def lose(session: Session) -> None:
            ledger.lose_dispute(
                session,
                dispute_id=dispute.id,
                at=self.now,
                stripe_ref=dispute.ref,
                fee_borne_by=list(OwnerType)[choice % 2],
            )

        return win if choice % 3 == 0 else lose

    def _payout(self, which: int, amount: int, choice: int) -> Doing:
        number = len(self.payouts)
        payout = Subject(
            self.new_id("payout", number),
            CURRENCIES[choice % len(CURRENCIES)],
            self.creators[which % CREATORS],
            ref=f"tr_{number}",
        )

        def reserve(session: Session) -> Callable[[], None] | None:
            reserved = ledger.reserve_payout(
                session,
                payout_id=payout.id,
                creator_id=payout.creator_id,
                currency=payout.currency,
                at=self.now,
                minimum_minor=1 + amount % 500,
                round_to_minor=100 if choice % 4 == 0 else 1,
                hold_blocks=choice % 2 == 0,
            )
            if not isinstance(reserved, Reserved) or payout in self.payouts:
                return None
            payout.amount_minor = reserved.amount_minor
            return lambda: self.payouts.append(payout)

        return reserve

    def _payout_step(self, payout: Subject, choice: int) -> Doing:
        def fund(session: Session) -> Callable[[], None] | None:
            posted = ledger.fund_payout(
                session, payout_id=payout.id, at=self.now, stripe_ref=payout.ref
            )
            return (lambda: self._hold(payout.ref, -payout.amount_minor)) if posted.is_new else None

        def reverse(session: Session) -> Callable[[], None] | None:
            ref = f"trr_{payout.ref}"
            posted = ledger.reverse_transfer(
                session, payout_id=payout.id, at=self.now, stripe_ref=ref
            )
            return (lambda: self._hold(ref, payout.amount_minor)) if posted.is_new else None

        def settle(session: Session) -> None:
            ledger.settle_payout(session, payout_id=payout.id, at=self.now)

        def give_back(session: Session) -> None:
            ledger.return_payout(session, payout_id=payout.id, at=self.now)

        return (fund, fund, reverse, settle, give_back)[choice % 5]

    def _terms(self, which: int, choice: int) -> Doing:
        def set_terms(session: Session) -> None:
            ledger.set_earning_terms(
                session,
                creator_id=self.creators[which % CREATORS],
                fee_bps=choice % 5001,
                hold_days=choice % 30,
            )

        return set_terms

    def _write_off(self, which: int, amount: int, choice: int) -> Doing:
        number = self.counts["write_off"]

        def write_off(session: Session) -> None:
            ledger.write_off(
                session,
                write_off_id=self.new_id("write_off", number),
                creator_id=self.creators[which % CREATORS],
                currency=CURRENCIES[choice % len(CURRENCIES)],
                amount_minor=1 + amount % 300,
                at=self.now,
            )

        return write_off

    def _keep(self, among: list[Subject], subject: Subject, held_minor: int) -> None:
        among.append(subject)
        self._hold(subject.ref, held_minor)

    def _hold(self, ref: str, amount_minor: int) -> None:
        self.at_stripe[ref] += amount_minor
