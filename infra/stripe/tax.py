"""Stripe Tax: how much of a price is tax where the fan lives, and what was taken of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from stripe.params.tax import (
    CalculationCreateParams,
    CalculationCreateParamsLineItem,
    TransactionCreateFromCalculationParams,
    TransactionCreateReversalParams,
)

from infra.stripe import parsing
from infra.stripe.asking import Asking
from infra.stripe.objects import TaxCalculation, TaxLine, TaxTransaction


class Tax(Asking):
    def calculate_tax(
        self,
        *,
        currency: str,
        lines: Sequence[TaxLine],
        country: str,
        key: str,
        op_id: str,
        at: datetime,
        postal_code: str | None = None,
        state: str | None = None,
        is_included: bool = True,
        workflow_id: str | None = None,
    ) -> TaxCalculation:
        """How much tax a sale bears.

        Args:
            country, postal_code, state: where the fan lives.
            is_included: prices are what the fan pays in all; False: tax comes on top.
        """
        items: list[CalculationCreateParamsLineItem] = []
        for line in lines:
            item: CalculationCreateParamsLineItem = {
                "amount": line.amount_minor,
                "reference": line.reference,
                "tax_behavior": "inclusive" if is_included else "exclusive",
            }
            if line.tax_code is not None:
                item["tax_code"] = line.tax_code
            items.append(item)
        params: CalculationCreateParams = {
            "currency": currency.lower(),
            "line_items": items,
            "customer_details": {"address": {"country": country}, "address_source": "billing"},
        }
        address = params["customer_details"]["address"]
        if postal_code is not None:
            address["postal_code"] = postal_code
        if state is not None:
            address["state"] = state
        # A calculation lives for days and costs nothing: one more does no harm.
        return parsing.tax_calculation(
            self._order(
                "/tax/calculations",
                params,
                key=key,
                op_id=op_id,
                at=at,
                workflow_id=workflow_id,
                read=self._reading("/tax/calculations"),
                find=None,
            )
        )

    def record_tax_transaction(
        self,
        *,
        calculation_id: str,
        reference: str,
        key: str,
        op_id: str,
        at: datetime,
        workflow_id: str | None = None,
    ) -> TaxTransaction:
        """Report a sale to Stripe Tax. Stripe takes a `reference` once, so that a sale can't be
        reported twice, whatever becomes of keys."""
        params: TransactionCreateFromCalculationParams = {
            "calculation": calculation_id,
            "reference": reference,
            "metadata": {"op_id": op_id},
        }
        return parsing.tax_transaction(
            self._order(
                "/tax/transactions/create_from_calculation",
                params,
                key=key,
                op_id=op_id,
                at=at,
                workflow_id=workflow_id,
                read=self._reading("/tax/transactions"),
                find=None,
            )
        )

    def reverse_tax_transaction(
        self,
        original_transaction: str,
        *,
        reference: str,
        key: str,
        op_id: str,
        at: datetime,
        amount_minor: int | None = None,
        workflow_id: str | None = None,
    ) -> TaxTransaction:
        """Report a refund: of all, or of `amount_minor` with its tax included (> 0)."""
        params: TransactionCreateReversalParams = {
            "mode": "full",
            "original_transaction": original_transaction,
            "reference": reference,
            "metadata": {"op_id": op_id},
        }
        if amount_minor is not None:
            params["mode"] = "partial"
            params["flat_amount"] = -amount_minor
        return parsing.tax_transaction(
            self._order(
                "/tax/transactions/create_reversal",
                params,
                key=key,
                op_id=op_id,
                at=at,
                workflow_id=workflow_id,
                read=self._reading("/tax/transactions"),
                find=None,
            )
        )
