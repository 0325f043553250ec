"""Whatever happens, in any order: no money is made or lost between the balances."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

import pytest
import stripe

from devstack.stripe import LocalStripe
from devstack.stripe.inprocess import client_of
from tests.unit.stripe_local.conftest import NOW
from tests.unit.stripe_local.paying import balance, pay

DAY = 86_400
CARDS = (
    "pm_card_visa",
    "pm_card_bypassPending",
    "pm_card_chargeDeclined",
    "pm_card_createDispute",
    "pm_card_createDisputeInquiry",
    "pm_card_refundFail",
    "pm_card_pendingRefund",
)
BANKS = ("000123456789", "000111111113")


class _Life:
    """Random things that happen at one Stripe; what it refuses changes nothing."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.local = LocalStripe(now=NOW, seed=f"books{seed}")
        self.client = client_of(self.local)
        self.accounts: list[str] = []

    def step(self) -> None:
        things: list[Callable[[], object]] = [
            self._pay,
            self._pay,
            self._refund,
            self._account,
            self._transfer,
            self._reverse,
            self._pay_out,
            self._cancel,
            self._answer_dispute,
            lambda: self.local.advance(self.draw.randrange(3 * DAY)),
        ]
        try:
            self.draw.choice(things)()
        except (stripe.StripeError, IndexError):
            # Declined, refused, or nothing there to do it with.
            return

    def _pay(self) -> None:
        pay(self.client, self.draw.choice(CARDS), amount=self.draw.randrange(100, 9000))

    def _refund(self) -> None:
        charge = self.draw.choice(self.client.v1.charges.list({"limit": 100}).data)
        amount = self.draw.randrange(1, charge.amount + 100)
        self.client.v1.refunds.create({"charge": charge.id, "amount": amount})

    def _account(self) -> None:
        account = self.client.v1.accounts.create(
            {"type": "express", "capabilities": {"transfers": {"requested": True}}}
        )
        self.local.control("onboard", account=account.id, bank=self.draw.choice(BANKS))
        self.accounts.append(account.id)

    def _transfer(self) -> None:
        self.client.v1.transfers.create(
            {
                "amount": self.draw.randrange(1, 3000),
                "currency": "usd",
                "destination": self.draw.choice(self.accounts),
            }
        )

    def _reverse(self) -> None:
        transfer = self.draw.choice(self.client.v1.transfers.list({"limit": 100}).data)
        amount = self.draw.randrange(1, transfer.amount + 1)
        self.client.v1.transfers.reversals.create(transfer.id, {"amount": amount})

    def _pay_out(self) -> None:
        self.client.v1.payouts.create(
            {"amount": self.draw.randrange(1, 2000), "currency": "usd"},
            {"stripe_account": self.draw.choice(self.accounts)},
        )

    def _cancel(self) -> None:
        account = self.draw.choice(self.accounts)
        payout = self.draw.choice(self.client.v1.payouts.list({}, {"stripe_account": account}).data)
        self.client.v1.payouts.cancel(payout.id, {}, {"stripe_account": account})

    def _answer_dispute(self) -> None:
        dispute = self.draw.choice(self.client.v1.disputes.list({"limit": 100}).data)
        text = self.draw.choice(("winning_evidence", "losing_evidence", "We delivered it."))
        self.client.v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": text}})

    def expected(self) -> int:
        """What all balances together hold, from the objects alone."""
        scope = self.local.scope()
        charged = sum(
            row["amount_captured"]
            - scope.get("balance_transaction", row["balance_transaction"])["fee"]
            for row in scope.all("charge")
            if row["paid"]
        )
        refunded = sum(row["amount"] for row in scope.all("refund") if row["status"] != "failed")
        disputed = 0
        for row in scope.all("dispute"):
            if not row["status"].startswith("warning"):
                disputed += 1500 + (0 if row["status"] == "won" else row["amount"])
        paid_out = sum(
            row["amount"]
            for account in self.accounts
            for row in self.local.scope(account).all("payout")
            if row["status"] not in ("failed", "canceled")
        )
        return int(charged - refunded - disputed - paid_out)


@pytest.mark.parametrize("seed", range(5))
def test_the_balances_are_what_the_objects_say(seed: int) -> None:
    life = _Life(seed)
    for _ in range(150):
        life.step()
        held = sum(balance(life.client)) + sum(
            sum(balance(life.client, account)) for account in life.accounts
        )
        assert held == life.expected()
        for account in life.accounts:
            assert min(balance(life.client, account)) >= 0


def test_threads_take_turns(client: stripe.StripeClient) -> None:
    def pay_ten() -> None:
        for _ in range(10):
            pay(client)

    threads = [threading.Thread(target=pay_ten) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert balance(client) == (0, 40 * 941)
