"""A client of Stripe's package that answers from a script, and keeps what it was asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import stripe

Json = dict[str, Any]

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECONDS = int(NOW.timestamp())


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    params: dict[str, str]
    form: str
    """The same as it was sent."""
    headers: Mapping[str, str]

    @property
    def key(self) -> str | None:
        return self.headers.get("Idempotency-Key")


@dataclass(frozen=True)
class Answer:
    status: int
    body: Json | str
    headers: Mapping[str, str] = field(default_factory=dict)


class Lost(Exception):
    """The connection broke after the request had been sent."""


class Refused(Exception):
    """There was no connection at all."""


Step = Answer | Json | Lost | Refused | Callable[[Asked], Answer]


class CannedStripe(stripe.HTTPClient):
    """Takes the next step of the script for each request; one that is not in it fails the
    test."""

    name = "canned"

    def __init__(self, *script: Step) -> None:
        super().__init__()
        self.script = list(script)
        self.asked: list[Asked] = []

    @property
    def keys(self) -> list[str]:
        return [each.key for each in self.asked if each.key is not None]

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        address = urlsplit(url)
        query = post_data if isinstance(post_data, str) else address.query
        asked = Asked(
            method,
            address.path,
            dict(parse_qsl(query, keep_blank_values=True)),
            query,
            headers or {},
        )
        self.asked.append(asked)
        assert self.script, f"nothing was to be asked, but {method} {url} was"
        step = self.script.pop(0)
        if isinstance(step, Lost):
            raise stripe.APIConnectionError("lost")  # type: ignore[no-untyped-call]
        if isinstance(step, Refused):
            self._refuse()
        if callable(step):
            step = step(asked)
        answer = step if isinstance(step, Answer) else Answer(200, step)  # type: ignore[arg-type]
        body = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
        return body, answer.status, answer.headers

    def _refuse(self) -> None:
        try:
            raise ConnectionRefusedError(111, "refused")
        except ConnectionRefusedError as error:
            raise stripe.APIConnectionError("no way there") from error  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Nothing is open."""


def failure(status: int, **error: object) -> Answer:
    return Answer(status, {"error": {"message": "No.", **error}})


def refund(name: str = "re_1", **fields: object) -> Json:
    return {
        "id": name,
        "object": "refund",
        "status": "succeeded",
        "amount": 500,
        "currency": "usd",
        "charge": "ch_1",
        "payment_intent": "pi_1",
        "created": SECONDS,
        "balance_transaction": "txn_1",
        "metadata": {},
        **fields,
    }


def intent(name: str = "pi_1", **fields: object) -> Json:
    return {
        "id": name,
        "object": "payment_intent",
        "status": "succeeded",
        "amount": 1000,
        "currency": "usd",
        "customer": "cus_1",
        "payment_method": "pm_1",
        "client_secret": f"{name}_secret",
        "created": SECONDS,
        "last_payment_error": None,
        "latest_charge": "ch_1",
        "next_action": None,
        "metadata": {},
        **fields,
    }


def listed(*objects: Json, has_more: bool = False) -> Json:
    return {"object": "list", "data": list(objects), "has_more": has_more}


def customer(name: str = "cus_1", **fields: object) -> Json:
    return {"id": name, "object": "customer", "metadata": {}, **fields}


def payment_method(name: str = "pm_1", **fields: object) -> Json:
    card = {
        "brand": "visa",
        "last4": "4242",
        "exp_month": 12,
        "exp_year": 2030,
        "fingerprint": "fp_1",
        "country": "US",
    }
    return {
        "id": name,
        "object": "payment_method",
        "type": "card",
        "customer": "cus_1",
        "card": card,
        **fields,
    }


def setup_intent(name: str = "seti_1", **fields: object) -> Json:
    return {
        "id": name,
        "object": "setup_intent",
        "status": "requires_payment_method",
        "client_secret": f"{name}_secret",
        "customer": "cus_1",
        "payment_method": None,
        "last_setup_error": None,
        "metadata": {},
        **fields,
    }


def setup_attempt(name: str = "setatt_1", **fields: object) -> Json:
    return {
        "id": name,
        "object": "setup_attempt",
        "status": "failed",
        "created": int(NOW.timestamp()),
        "setup_intent": "seti_1",
        "setup_error": {"type": "card_error", "code": "card_declined"},
        **fields,
    }


def balance_transaction(name: str = "txn_1", **fields: object) -> Json:
    return {
        "id": name,
        "object": "balance_transaction",
        "type": "charge",
        "reporting_category": "charge",
        "source": "ch_1",
        "amount": 1000,
        "fee": 59,
        "net": 941,
        "currency": "usd",
        "created": SECONDS,
        "available_on": SECONDS + 172_800,
        **fields,
    }


def charge(name: str = "ch_1", **fields: object) -> Json:
    return {
        "id": name,
        "object": "charge",
        "status": "succeeded",
        "amount": 1000,
        "amount_refunded": 0,
        "currency": "usd",
        "disputed": False,
        "created": SECONDS,
        "payment_intent": "pi_1",
        "payment_method": "pm_1",
        "payment_method_details": {"type": "card", "card": {"fingerprint": "fp_1"}},
        "balance_transaction": balance_transaction(),
        "metadata": {},
        **fields,
    }


def dispute(name: str = "dp_1", **fields: object) -> Json:
    return {
        "id": name,
        "object": "dispute",
        "charge": "ch_1",
        "payment_intent": "pi_1",
        "amount": 1000,
        "currency": "usd",
        "status": "needs_response",
        "reason": "fraudulent",
        "created": SECONDS,
        "evidence_details": {"due_by": SECONDS, "has_evidence": False, "submission_count": 0},
        "is_charge_refundable": False,
        "balance_transactions": [balance_transaction("txn_2", amount=-1000, net=-2500, fee=1500)],
        "metadata": {},
        **fields,
    }


def account(name: str = "acct_1", **fields: object) -> Json:
    return {
        "id": name,
        "object": "account",
        "charges_enabled": False,
        "payouts_enabled": False,
        "details_submitted": False,
        "capabilities": {"transfers": "inactive"},
        "requirements": {
            "past_due": ["external_account"],
            "currently_due": ["external_account", "tos_acceptance.date"],
            "disabled_reason": "requirements.past_due",
        },
        "country": "DE",
        "default_currency": "eur",
        "metadata": {},
        **fields,
    }


def account_link(**fields: object) -> Json:
    url = "https://connect.stripe.com/setup/e/acct_1/x"
    return {"object": "account_link", "url": url, "expires_at": SECONDS + 300, **fields}


def transfer(name: str = "tr_1", **fields: object) -> Json:
    return {
        "id": name,
        "object": "transfer",
        "amount": 4000,
        "amount_reversed": 0,
        "currency": "usd",
        "destination": "acct_1",
        "transfer_group": "row-1",
        "created": SECONDS,
        "balance_transaction": "txn_3",
        "metadata": {},
        **fields,
    }


def reversal(name: str = "trr_1", **fields: object) -> Json:
    return {
        "id": name,
        "object": "transfer_reversal",
        "transfer": "tr_1",
        "amount": 4000,
        "currency": "usd",
        "created": SECONDS,
        "balance_transaction": "txn_4",
        "metadata": {},
        **fields,
    }


def payout(name: str = "po_1", **fields: object) -> Json:
    return {
        "id": name,
        "object": "payout",
        "status": "pending",
        "amount": 4000,
        "currency": "usd",
        "created": SECONDS,
        "arrival_date": SECONDS + 172_800,
        "failure_code": None,
        "failure_message": None,
        "balance_transaction": "txn_5",
        "failure_balance_transaction": None,
        "automatic": False,
        "metadata": {},
        **fields,
    }


def balance() -> Json:
    def some(*amounts: tuple[int, str]) -> list[Json]:
        return [{"amount": amount, "currency": currency} for amount, currency in amounts]

    available = some((500, "usd"), (-20, "eur"))
    return {"object": "balance", "available": available, "pending": some((70, "usd"))}


def event(name: str = "evt_1", **fields: object) -> Json:
    return {
        "id": name,
        "object": "event",
        "type": "refund.updated",
        "created": SECONDS,
        "data": {"object": refund()},
        **fields,
    }


def tax_calculation(**fields: object) -> Json:
    return {
        "id": "taxcalc_1",
        "object": "tax.calculation",
        "amount_total": 1000,
        "tax_amount_exclusive": 0,
        "tax_amount_inclusive": 160,
        "currency": "eur",
        "expires_at": SECONDS + 86_400,
        **fields,
    }


def tax_transaction(**fields: object) -> Json:
    return {
        "id": "tax_1",
        "object": "tax.transaction",
        "reference": "row-1",
        "type": "transaction",
        **fields,
    }
