"""The last scene: our books against Stripe's."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from rich.table import Table

from devstack.client import JsonObject
from devstack.demo.browser import Browser
from devstack.demo.scenes import Stage, expect
from domain.ledger.accounts import AccountKind
from infra.db import make_engine, transaction
from infra.queries.ledger import TrialBalance, trial_balance
from infra.settings import Settings

OWN_MONEY = ("topup", "payout", "payout_cancel", "payout_failure")
"""What goes between Stripe and the platform's own bank: nobody's sale, and not in the ledger."""
PAGE_SIZE = 100
MEANING = {
    AccountKind.PENDING: "creators' that waits",
    AccountKind.AVAILABLE: "creators' to be paid out",
    AccountKind.RESERVE: "kept back from creators",
    AccountKind.DISPUTE_HOLD: "held while banks decide",
    AccountKind.PAYOUT_IN_FLIGHT: "at creators' banks",
    AccountKind.DEBT: "minus: creators owe it",
    AccountKind.STRIPE_CLEARING: "minus: Stripe holds it",
    AccountKind.PAYOUT_CLEARING: "minus: sent for payouts",
    AccountKind.STRIPE_FEES: "minus: Stripe charged it",
    AccountKind.DISPUTE_RECEIVABLE: "minus: disputes took it",
    AccountKind.BAD_DEBT: "minus: it is lost",
    AccountKind.COMMISSION: "the platform's earnings",
    AccountKind.TAX_PAYABLE: "for tax offices",
    AccountKind.ROUNDING: "what splitting left",
}


@dataclass(frozen=True)
class Books:
    """Ours, and what Stripe holds for us by currency, without money of the platform's own."""

    ours: TrialBalance
    at_stripe_minor: Mapping[str, int]

    @property
    def clearing_minor(self) -> dict[str, int]:
        """What our books say that Stripe holds, by currency."""
        return {
            line.currency: -line.posted_minor
            for line in self.ours.lines
            if line.kind is AccountKind.STRIPE_CLEARING
        }

    @property
    def faults(self) -> list[str]:
        """What is wrong, in sentences; empty where both agree."""
        found = [
            f"the accounts in {currency} sum to {_amount(total)}, not to zero"
            for currency, total in self.ours.sums.items()
            if total != 0
        ]
        for currency in sorted({*self.clearing_minor, *self.at_stripe_minor}):
            ours = self.clearing_minor.get(currency, 0)
            theirs = self.at_stripe_minor.get(currency, 0)
            if ours != theirs:
                found.append(
                    f"our books say that Stripe holds {_amount(ours)} {currency}, "
                    f"and Stripe says {_amount(theirs)}"
                )
        return found


async def compare(stage: Stage) -> str:
    """All accounts, what they sum to, and what Stripe says it holds."""
    async with Browser(stage.settings) as browser:
        at_stripe_minor = await held_minor(browser)
    books = Books(await asyncio.to_thread(_ours, stage.settings), at_stripe_minor)
    stage.console.print(table_of(books))
    return judge(books)


def judge(books: Books) -> str:
    """What there is to say where both agree.

    Raises:
        SceneFailed: they don't, or there is nothing in them.
    """
    expect(bool(books.ours.lines), "the books are empty")
    expect(not books.faults, "; ".join(books.faults))
    held = ", ".join(f"{_amount(each)} {name}" for name, each in books.clearing_minor.items())
    return f"The accounts sum to zero. Stripe's balance is {held}, to the cent what our books say"


def table_of(books: Books) -> Table:
    """The trial balance beside Stripe's balance."""
    table = Table("account", "what it holds", title="Trial balance")
    table.add_column("amount", justify="right")
    table.add_column("Stripe's balance", justify="right")
    for line in books.ours.lines:
        theirs = ""
        if line.kind is AccountKind.STRIPE_CLEARING:
            theirs = f"{_amount(books.at_stripe_minor.get(line.currency, 0))} {line.currency}"
        kind = line.kind.value.replace("_", " ")
        amount = f"{_amount(line.posted_minor)} {line.currency}"
        table.add_row(kind, MEANING[line.kind], amount, theirs)
    table.add_section()
    for currency, total in books.ours.sums.items():
        table.add_row("sum", "", f"{_amount(total)} {currency}", "", style="bold")
    return table


async def held_minor(browser: Browser) -> dict[str, int]:
    """What Stripe holds of what was sold, by currency: available and pending, less money of the
    platform's own."""
    found: dict[str, int] = defaultdict(int)
    balance = await browser.ask("GET", "/v1/balance")
    for part in (*balance["available"], *balance["pending"]):
        found[part["currency"].upper()] += part["amount"]
    for kind in OWN_MONEY:
        for each in await _transactions(browser, kind):
            found[each["currency"].upper()] -= each["net"]
    return dict(found)


async def _transactions(browser: Browser, kind: str) -> list[JsonObject]:
    """All of Stripe's balance transactions of one kind."""
    found: list[JsonObject] = []
    params: JsonObject = {"type": kind, "limit": PAGE_SIZE}
    while True:
        page = await browser.ask("GET", "/v1/balance_transactions", params=params)
        found += page["data"]
        if not page["has_more"]:
            return found
        params["starting_after"] = found[-1]["id"]


def _ours(settings: Settings) -> TrialBalance:
    engine = make_engine(settings)
    try:
        with transaction(engine) as session:
            return trial_balance(session)
    finally:
        engine.dispose()


def _amount(amount_minor: int) -> str:
    return f"{amount_minor / 100:,.2f}"
