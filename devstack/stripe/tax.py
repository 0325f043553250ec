"""Stripe Tax: calculations by a small table of rates, transactions made of them, and reversals."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from stripe.params.tax import (
    CalculationCreateParams,
    CalculationListLineItemsParams,
    CalculationRetrieveParams,
    TransactionCreateFromCalculationParams,
    TransactionCreateReversalParams,
    TransactionListLineItemsParams,
    TransactionRetrieveParams,
)

from devstack.stripe.answers import listed, page
from devstack.stripe.errors import Obj, refuse
from devstack.stripe.routes import route
from devstack.stripe.world import DAY, Scope, merged_metadata

CALCULATION_LIVES_SECONDS = 90 * DAY
TAX_CODE = "txcd_10000000"
"""General: electronically supplied services."""

RATES: dict[str, tuple[str, str]] = {
    "AT": ("20.0", "vat"),
    "AU": ("10.0", "gst"),
    "BE": ("21.0", "vat"),
    "CH": ("8.1", "vat"),
    "DE": ("19.0", "vat"),
    "ES": ("21.0", "vat"),
    "FI": ("25.5", "vat"),
    "FR": ("20.0", "vat"),
    "GB": ("20.0", "vat"),
    "IE": ("23.0", "vat"),
    "IT": ("22.0", "vat"),
    "JP": ("10.0", "jct"),
    "LU": ("17.0", "vat"),
    "NL": ("21.0", "vat"),
    "NO": ("25.0", "vat"),
    "PL": ("23.0", "vat"),
    "PT": ("23.0", "vat"),
    "SE": ("25.0", "vat"),
}
"""Standard rates in percent. Where a country is not named, no tax is collected."""

US_RATES = {"NY": "4.0", "TX": "6.25", "WA": "6.5"}
"""By state."""


def _rate(address: Obj) -> tuple[str, str] | None:
    """The rate in percent and the kind of tax at an address, None where there is none."""
    if address["country"] == "US":
        found = US_RATES.get(address.get("state") or "")
        return None if found is None else (found, "sales_tax")
    return RATES.get(address["country"])


def _tax(amount: int, percent: str, *, inclusive: bool) -> int:
    """The tax on `amount`, or within it, in minor units, rounded half up."""
    rate = Fraction(percent) / 100
    exact = amount * rate / (1 + rate) if inclusive else amount * rate
    return int(exact + Fraction(1, 2)) if exact >= 0 else -int(-exact + Fraction(1, 2))


@route("POST", "/v1/tax/calculations", CalculationCreateParams)
def create_calculation(scope: Scope, params: Obj) -> Obj:
    address = _address(scope, params)
    details = params.get("customer_details") or {}
    exempt = details.get("taxability_override", "none") != "none"
    calculation_id = scope.new_id("taxcalc")
    items = [
        _line(scope, item, number, address, exempt)
        for number, item in enumerate(params["line_items"], start=1)
    ]
    inclusive = sum(item["amount_tax"] for item in items if item["tax_behavior"] == "inclusive")
    exclusive = sum(item["amount_tax"] for item in items if item["tax_behavior"] == "exclusive")
    calculation = {
        "id": calculation_id,
        "object": "tax.calculation",
        "amount_total": sum(item["amount"] for item in items) + exclusive,
        "currency": params["currency"].lower(),
        "customer": params.get("customer"),
        "customer_details": {
            "address": {"city": None, "postal_code": None, "state": None, **address},
            "address_source": details.get("address_source", "billing"),
            "ip_address": details.get("ip_address"),
            "tax_ids": details.get("tax_ids", []),
            "taxability_override": details.get("taxability_override", "none"),
        },
        "expires_at": scope.now + CALCULATION_LIVES_SECONDS,
        "line_items": listed(items, f"/v1/tax/calculations/{calculation_id}/line_items"),
        "livemode": False,
        "ship_from_details": None,
        "shipping_cost": None,
        "tax_amount_exclusive": exclusive,
        "tax_amount_inclusive": inclusive,
        "tax_breakdown": [_breakdown(item, address) for item in items],
        "tax_date": params.get("tax_date", scope.now),
    }
    return scope.save(calculation)


def _address(scope: Scope, params: Obj) -> Obj:
    """Where the customer is taxed.

    Raises:
        Refused: 400 `customer_tax_location_invalid` without a country.
    """
    details = params.get("customer_details") or {}
    address: Obj = dict(details.get("address") or {})
    if not address and "customer" in params:
        address = scope.get("customer", params["customer"], param="customer")["address"] or {}
    if not address.get("country"):
        refuse(
            "We could not determine the customer's tax location based on the provided customer"
            " address.",
            code="customer_tax_location_invalid",
            param="customer_details[address]",
        )
    return address


def _line(scope: Scope, item: Obj, number: int, address: Obj, exempt: bool) -> Obj:
    found = None if exempt else _rate(address)
    behavior = item.get("tax_behavior", "exclusive")
    tax = _tax(item["amount"], found[0], inclusive=behavior == "inclusive") if found else 0
    return {
        "id": scope.new_id("tax_li"),
        "object": "tax.calculation_line_item",
        "amount": item["amount"],
        "amount_tax": tax,
        "livemode": False,
        "metadata": item.get("metadata"),
        "performance_location": None,
        "product": item.get("product"),
        "quantity": item.get("quantity", 1),
        "reference": item.get("reference", f"L{number}"),
        "tax_behavior": behavior,
        "tax_breakdown": None,
        "tax_code": item.get("tax_code", TAX_CODE),
        "_exempt": exempt,
    }


def _breakdown(item: Obj, address: Obj) -> Obj:
    found = None if item["_exempt"] else _rate(address)
    inclusive = item["tax_behavior"] == "inclusive"
    reason = "standard_rated" if found else "customer_exempt" if item["_exempt"] else None
    return {
        "amount": item["amount_tax"],
        "inclusive": inclusive,
        "tax_rate_details": {
            "country": address["country"],
            "flat_amount": None,
            "percentage_decimal": found[0] if found else "0.0",
            "rate_type": "percentage",
            "state": address.get("state"),
            "tax_type": found[1] if found else None,
        },
        "taxability_reason": reason or "not_collecting",
        "taxable_amount": item["amount"] - (item["amount_tax"] if inclusive else 0) if found else 0,
    }


@route("GET", "/v1/tax/calculations/{id}", CalculationRetrieveParams)
def retrieve_calculation(scope: Scope, _params: Obj, calculation_id: str) -> Obj:
    return scope.get("tax.calculation", calculation_id)


@route("GET", "/v1/tax/calculations/{id}/line_items", CalculationListLineItemsParams)
def list_calculation_lines(scope: Scope, params: Obj, calculation_id: str) -> Obj:
    rows = scope.get("tax.calculation", calculation_id)["line_items"]["data"]
    return page(rows[::-1], params, f"/v1/tax/calculations/{calculation_id}/line_items")


@route(
    "POST", "/v1/tax/transactions/create_from_calculation", TransactionCreateFromCalculationParams
)
def create_transaction(scope: Scope, params: Obj) -> Obj:
    calculation = scope.get("tax.calculation", params["calculation"], param="calculation")
    if calculation["expires_at"] <= scope.now:
        refuse("This tax calculation has expired.", code="tax_calculation_expired")
    _require_new(scope, params["reference"])
    items = [
        _transaction_line(scope, item, item["amount"], item["amount_tax"], item["reference"])
        for item in calculation["line_items"]["data"]
    ]
    return _transaction(scope, calculation, params, items, reversal=None)


def _require_new(scope: Scope, reference: str) -> None:
    if any(row["reference"] == reference for row in scope.all("tax.transaction")):
        refuse(f"A transaction with the reference '{reference}' exists already.", param="reference")


def _transaction_line(
    scope: Scope, item: Obj, amount: int, tax: int, reference: str, *, of: str | None = None
) -> Obj:
    return {
        "id": scope.new_id("tax_li"),
        "object": "tax.transaction_line_item",
        "amount": amount,
        "amount_tax": tax,
        "livemode": False,
        "metadata": item.get("metadata"),
        "product": item["product"],
        "quantity": item["quantity"],
        "reference": reference,
        "reversal": None if of is None else {"original_line_item": of},
        "tax_behavior": item["tax_behavior"],
        "tax_code": item["tax_code"],
        "type": "transaction" if of is None else "reversal",
    }


def _transaction(
    scope: Scope, source: Obj, params: Obj, items: list[Obj], *, reversal: str | None
) -> Obj:
    transaction_id = scope.new_id("tax")
    return scope.save(
        {
            "id": transaction_id,
            "object": "tax.transaction",
            "created": scope.now,
            "currency": source["currency"],
            "customer": source["customer"],
            "customer_details": source["customer_details"],
            "line_items": listed(items, f"/v1/tax/transactions/{transaction_id}/line_items"),
            "livemode": False,
            "metadata": merged_metadata({}, params.get("metadata")),
            "posted_at": params.get("posted_at", scope.now),
            "reference": params["reference"],
            "reversal": None if reversal is None else {"original_transaction": reversal},
            "ship_from_details": None,
            "shipping_cost": None,
            "tax_date": source["tax_date"],
            "type": "transaction" if reversal is None else "reversal",
        }
    )


@route("POST", "/v1/tax/transactions/create_reversal", TransactionCreateReversalParams)
def create_reversal(scope: Scope, params: Obj) -> Obj:
    """Take back all of a transaction, the lines that are given, or a part of the total."""
    original = scope.get(
        "tax.transaction", params["original_transaction"], param="original_transaction"
    )
    if original["type"] != "transaction":
        refuse("A reversal can't be reversed.", param="original_transaction")
    _require_new(scope, params["reference"])
    wanted = _wanted(original, params)
    left = _left(scope, original)
    lines = {item["id"]: item for item in original["line_items"]["data"]}
    for line_id, amount, tax, _ in wanted:
        most_amount, most_tax = left[line_id]
        if not (-most_amount <= amount <= 0 and -most_tax <= tax <= 0):
            refuse("The reversal is for more than is left of the transaction.")
    items = [
        _transaction_line(scope, lines[line_id], amount, tax, reference, of=line_id)
        for line_id, amount, tax, reference in wanted
    ]
    return _transaction(scope, original, params, items, reversal=original["id"])


def _wanted(original: Obj, params: Obj) -> list[tuple[str, int, int, str]]:
    """(line, amount, tax, reference), both amounts negative."""
    items: list[Any] = original["line_items"]["data"]
    if params["mode"] == "full":
        return [(row["id"], -row["amount"], -row["amount_tax"], row["reference"]) for row in items]
    if "flat_amount" in params:
        return _flat(items, params["flat_amount"])
    known = {row["id"] for row in items}
    given = params.get("line_items", [])
    if not given or any(row["original_line_item"] not in known for row in given):
        refuse("A partial reversal names lines of its transaction.", param="line_items")
    return [
        (row["original_line_item"], row["amount"], row["amount_tax"], row["reference"])
        for row in given
    ]


def _flat(items: list[Any], flat_amount: int) -> list[tuple[str, int, int, str]]:
    """A part of the total, tax included, spread over the lines; the last takes the rest."""
    if flat_amount >= 0:
        refuse("A flat amount is negative.", param="flat_amount")

    def gross(row: Obj) -> int:
        inclusive = row["tax_behavior"] == "inclusive"
        return int(row["amount"] + (0 if inclusive else row["amount_tax"]))

    total, rest = sum(gross(row) for row in items), flat_amount
    if -flat_amount > total:
        refuse("The reversal is for more than is left of the transaction.", param="flat_amount")
    wanted = []
    for position, row in enumerate(items):
        last = position == len(items) - 1
        part = rest if last else -(-flat_amount * gross(row) // total)
        rest -= part
        tax = -(-part * row["amount_tax"] // gross(row)) if gross(row) else 0
        amount = part if row["tax_behavior"] == "inclusive" else part - tax
        wanted.append((row["id"], amount, tax, row["reference"]))
    return wanted


def _left(scope: Scope, original: Obj) -> dict[str, tuple[int, int]]:
    """What is not yet reversed of each line: (amount, tax)."""
    left = {row["id"]: (row["amount"], row["amount_tax"]) for row in original["line_items"]["data"]}
    for row in scope.all("tax.transaction"):
        if row["reversal"] == {"original_transaction": original["id"]}:
            for item in row["line_items"]["data"]:
                of = item["reversal"]["original_line_item"]
                amount, tax = left[of]
                left[of] = (amount + item["amount"], tax + item["amount_tax"])
    return left


@route("GET", "/v1/tax/transactions/{id}", TransactionRetrieveParams)
def retrieve_transaction(scope: Scope, _params: Obj, transaction_id: str) -> Obj:
    return scope.get("tax.transaction", transaction_id)


@route("GET", "/v1/tax/transactions/{id}/line_items", TransactionListLineItemsParams)
def list_transaction_lines(scope: Scope, params: Obj, transaction_id: str) -> Obj:
    rows = scope.get("tax.transaction", transaction_id)["line_items"]["data"]
    return page(rows[::-1], params, f"/v1/tax/transactions/{transaction_id}/line_items")
