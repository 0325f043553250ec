"""Bank accounts of connected accounts, and what a payout to each of them does.

See "Testing payouts" in Stripe's Connect documentation.
"""

from __future__ import annotations

from typing import Any

from devstack.stripe.errors import Obj, refuse
from devstack.stripe.events import emit
from devstack.stripe.ids import token
from devstack.stripe.world import Scope, merged_metadata

_FAILING = {
    "000111111116": "no_account",
    "000111111113": "account_closed",
    "000222222227": "insufficient_funds",
    "000333333335": "debit_not_authorized",
    "000444444440": "invalid_currency",
    "DE62370400440532013001": "no_account",
    "DE89370400440532013002": "account_closed",
    "DE89370400440532013003": "insufficient_funds",
    "DE89370400440532013004": "debit_not_authorized",
    "DE89370400440532013005": "invalid_currency",
    "11111116": "no_account",
    "11111113": "account_closed",
}
_TOKENS = {"btok_us_verified": "000123456789", "btok_us_accountClosed": "000111111113"}
MESSAGES = {
    "no_account": "The bank account details on file are probably incorrect. No bank account could"
    " be located with those details.",
    "account_closed": "The bank account has been closed.",
    "insufficient_funds": "Your Stripe account has insufficient funds to cover the payout.",
    "debit_not_authorized": "Debit transactions are not approved on your bank account.",
    "invalid_currency": "The bank was unable to process this payout because of its currency.",
    "could_not_process": "The bank could not process this payout.",
}


def failure_of(bank: Obj) -> str | None:
    """The failure code of payouts to this account, None where they succeed."""
    return _FAILING.get(bank["_number"])


def banks_of(scope: Scope) -> list[Obj]:
    """The bank accounts of an account, oldest first."""
    return scope.all("bank_account")


def bank_for(scope: Scope, currency: str, wanted: str | None) -> Obj:
    """Where a payout goes: the account that is named, or the default one of the currency.

    Raises:
        Refused: 400 when there is none.
    """
    if wanted is not None:
        return scope.get("bank_account", wanted, param="destination")
    for bank in banks_of(scope):
        if bank["currency"] == currency and bank["default_for_currency"]:
            return bank
    refuse(
        f"Sorry, you don't have any external accounts in that currency ({currency}).",
        param="currency",
    )


def add_bank(scope: Scope, given: Any, *, only: bool = False, metadata: Any = None) -> Obj:
    """Save a bank account; the first of its currency, or the `only` one, is the default.

    Raises:
        Refused: for a debit card, or a token that is unknown.
    """
    if isinstance(given, str):
        if given not in _TOKENS:
            refuse(f"No such token: '{given}'", code="resource_missing", param="external_account")
        given = {"account_number": _TOKENS[given], "country": "US", "currency": "usd"}
    if given.get("object") == "card":
        refuse("This Stripe pays out to bank accounts only.", param="external_account[object]")
    number, country = given["account_number"], given["country"]
    currency = given.get("currency", "usd")
    if only:
        for bank in banks_of(scope):
            scope.world.store.drop(scope.account, "bank_account", bank["id"])
    first = not any(bank["currency"] == currency for bank in banks_of(scope))
    bank = scope.save(
        {
            "id": scope.new_id("ba"),
            "object": "bank_account",
            "account": scope.account,
            "account_holder_name": given.get("account_holder_name"),
            "account_holder_type": given.get("account_holder_type"),
            "account_type": None,
            "available_payout_methods": ["standard"],
            "bank_name": "STRIPE TEST BANK",
            "country": country,
            "currency": currency,
            "default_for_currency": first,
            "fingerprint": token("bank", number, 16),
            "future_requirements": None,
            "last4": number[-4:],
            "metadata": merged_metadata({}, metadata),
            "requirements": None,
            "routing_number": given.get("routing_number"),
            "status": "new",
            "_number": number,
        }
    )
    emit(scope, "account.external_account.created", bank)
    return bank
