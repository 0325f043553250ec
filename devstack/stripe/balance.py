"""Balances and the balance transactions that they are the sum of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from stripe.params import (
    BalanceRetrieveParams,
    BalanceTransactionListParams,
    BalanceTransactionRetrieveParams,
)

from devstack.stripe.answers import page
from devstack.stripe.errors import Obj, refuse
from devstack.stripe.routes import route
from devstack.stripe.world import Scope

_CATEGORIES = {
    "charge": "charge",
    "payment": "charge",
    "payment_refund": "refund",
    "refund": "refund",
    "refund_failure": "refund_failure",
    "payment_failure_refund": "refund_failure",
    "transfer": "transfer",
    "transfer_refund": "transfer_reversal",
    "payout": "payout",
    "payout_cancel": "payout_reversal",
    "payout_failure": "payout_reversal",
    "topup": "topup",
}


def record(
    scope: Scope,
    *,
    kind: str,
    amount: int,
    currency: str,
    source: str,
    fees: Sequence[tuple[int, str]] = (),
    available_on: int | None = None,
    category: str | None = None,
    description: str | None = None,
) -> Obj:
    """Write one balance transaction; `amount` and the fees (amount, description) in minor units.

    Args:
        available_on: when it counts as available; now where it is not given.
    """
    fee = sum(part for part, _ in fees)
    return scope.save(
        {
            "id": scope.new_id("txn"),
            "object": "balance_transaction",
            "amount": amount,
            "available_on": scope.now if available_on is None else available_on,
            "balance_type": "payments",
            "created": scope.now,
            "currency": currency,
            "description": description,
            "exchange_rate": None,
            "fee": fee,
            "fee_details": [
                {
                    "amount": part,
                    "application": None,
                    "currency": currency,
                    "description": said,
                    "type": "stripe_fee",
                }
                for part, said in fees
            ],
            "net": amount - fee,
            "reporting_category": category or _CATEGORIES[kind],
            "source": source,
            "status": "pending",
            "type": kind,
        }
    )


def sums(scope: Scope) -> tuple[dict[str, int], dict[str, int]]:
    """What is available and what is pending, by currency."""
    available: dict[str, int] = defaultdict(int)
    pending: dict[str, int] = defaultdict(int)
    for row in scope.all("balance_transaction"):
        part = available if row["available_on"] <= scope.now else pending
        part[row["currency"]] += row["net"]
    return available, pending


def require_available(scope: Scope, amount: int, currency: str, message: str) -> None:
    """Refuse what the available balance does not cover.

    Raises:
        Refused: 400 `balance_insufficient`.
    """
    if sums(scope)[0][currency] < amount:
        refuse(message, code="balance_insufficient")


@route("GET", "/v1/balance", BalanceRetrieveParams)
def retrieve_balance(scope: Scope, _params: Obj) -> Obj:
    available, pending = sums(scope)
    currencies = sorted({*available, *pending}) or ["usd"]

    def parts(amounts: dict[str, int]) -> list[Obj]:
        return [
            {
                "amount": amounts.get(currency, 0),
                "currency": currency,
                "source_types": {"card": amounts.get(currency, 0)},
            }
            for currency in currencies
        ]

    zeros = [{"amount": 0, "currency": currency} for currency in currencies]
    balance: Obj = {"object": "balance", "available": parts(available), "livemode": False}
    if not scope.account:
        balance["connect_reserved"] = zeros
    return balance | {"pending": parts(pending), "refund_and_dispute_prefunding": None}


@route("GET", "/v1/balance_transactions", BalanceTransactionListParams)
def list_balance_transactions(scope: Scope, params: Obj) -> Obj:
    if "payout" in params:
        payout = scope.get("payout", params["payout"], param="payout")
        if not payout["automatic"]:
            refuse(
                "Balance transaction history can only be filtered on automatic transfers, not"
                " manual.",
                param="payout",
            )
    rows = scope.all("balance_transaction")
    return page(rows, params, "/v1/balance_transactions", filters=("type", "source", "currency"))


@route("GET", "/v1/balance_transactions/{id}", BalanceTransactionRetrieveParams)
def retrieve_balance_transaction(scope: Scope, _params: Obj, transaction_id: str) -> Obj:
    return scope.get("balance_transaction", transaction_id)
