"""Tax: calculations, transactions and reversals."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from devstack.stripe import LocalStripe

DAY = 86_400


def _calculation(
    client: stripe.StripeClient, amount: int, behavior: str, **address: str
) -> stripe.tax.Calculation:
    params: Any = {
        "currency": "usd",
        "line_items": [{"amount": amount, "reference": "sub-1", "tax_behavior": behavior}],
        "customer_details": {"address": address, "address_source": "billing"},
    }
    return client.v1.tax.calculations.create(params)


@pytest.mark.parametrize(
    ("country", "state", "amount", "behavior", "tax", "total"),
    [
        ("DE", "", 1000, "exclusive", 190, 1190),
        ("DE", "", 1190, "inclusive", 190, 1190),
        ("DE", "", 1000, "inclusive", 160, 1000),
        ("GB", "", 999, "exclusive", 200, 1199),
        ("CH", "", 1000, "exclusive", 81, 1081),
        ("US", "TX", 1000, "exclusive", 63, 1063),
        ("US", "OR", 1000, "exclusive", 0, 1000),
        ("BR", "", 1000, "exclusive", 0, 1000),
    ],
)
def test_tax_follows_from_where_the_customer_is(
    client: stripe.StripeClient,
    country: str,
    state: str,
    amount: int,
    behavior: str,
    tax: int,
    total: int,
) -> None:
    more = {"state": state} if state else {}
    found = _calculation(client, amount, behavior, country=country, **more)
    assert found.tax_amount_exclusive + found.tax_amount_inclusive == tax
    assert found.amount_total == total


def test_a_customer_without_a_place_cannot_be_taxed(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as raised:
        client.v1.tax.calculations.create({"currency": "usd", "line_items": [{"amount": 100}]})
    assert raised.value.code == "customer_tax_location_invalid"


def test_a_transaction_is_reversed_in_parts_and_no_further(client: stripe.StripeClient) -> None:
    calculation = _calculation(client, 1000, "exclusive", country="DE")
    made = client.v1.tax.transactions.create_from_calculation(
        {"calculation": str(calculation.id), "reference": "charge-1"}
    )
    assert made.type == "transaction"
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.tax.transactions.create_from_calculation(
            {"calculation": str(calculation.id), "reference": "charge-1"}
        )
    part = client.v1.tax.transactions.create_reversal(
        {
            "mode": "partial",
            "original_transaction": made.id,
            "reference": "refund-1",
            "flat_amount": -595,
        }
    )
    (line,) = client.v1.tax.transactions.line_items.list(part.id).data
    assert (line.amount, line.amount_tax) == (-500, -95)
    with pytest.raises(stripe.InvalidRequestError, match="more than is left"):
        client.v1.tax.transactions.create_reversal(
            {"mode": "full", "original_transaction": made.id, "reference": "refund-2"}
        )


def test_a_calculation_expires(local: LocalStripe, client: stripe.StripeClient) -> None:
    calculation = _calculation(client, 1000, "exclusive", country="DE")
    local.advance(90 * DAY)
    with pytest.raises(stripe.InvalidRequestError) as raised:
        client.v1.tax.transactions.create_from_calculation(
            {"calculation": str(calculation.id), "reference": "late"}
        )
    assert raised.value.code == "tax_calculation_expired"
