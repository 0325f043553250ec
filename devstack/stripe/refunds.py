"""Refunds: capped by what is left of the charge, and refused while it is disputed."""

from __future__ import annotations

from stripe.params import (
    ChargeListRefundsParams,
    RefundCancelParams,
    RefundCreateParams,
    RefundListParams,
    RefundRetrieveParams,
    RefundUpdateParams,
)

from devstack.stripe.answers import page
from devstack.stripe.balance import record
from devstack.stripe.cards import Card
from devstack.stripe.charges import ensure_settled
from devstack.stripe.disputes import disputes_of
from devstack.stripe.errors import Obj, refuse
from devstack.stripe.events import emit
from devstack.stripe.payment_methods import card_of
from devstack.stripe.routes import route
from devstack.stripe.world import Scope, job, merged_metadata, updated


@route("POST", "/v1/refunds", RefundCreateParams)
def create_refund(scope: Scope, params: Obj) -> Obj:
    charge = _charge_of(scope, params)
    amount = _amount(scope, charge, params)
    ensure_settled(scope, charge)
    card = card_of(scope.get("payment_method", charge["payment_method"]))
    refund = _refund(scope, charge, amount, params, card)
    transaction = record(
        scope,
        kind="refund",
        amount=-amount,
        currency=charge["currency"],
        source=refund["id"],
        available_on=_available_with(scope, charge),
        description=f"REFUND FOR CHARGE ({charge['description']})",
    )
    refund["balance_transaction"] = transaction["id"]
    scope.save(refund)
    before = updated(charge, _refunded(charge, charge["amount_refunded"] + amount))
    scope.save(charge)
    emit(scope, "refund.created", refund)
    emit(scope, "charge.refunded", charge, previous=before)
    if card.refund is not None:
        scope.schedule("refund.ends", refund["id"], after=scope.config.refund_seconds)
    return refund


def _charge_of(scope: Scope, params: Obj) -> Obj:
    if ("charge" in params) == ("payment_intent" in params):
        refuse(
            "One of the following params should be provided for this request: payment_intent or"
            " charge.",
            code="parameter_missing",
        )
    if "charge" in params:
        return scope.get("charge", params["charge"], param="charge")
    intent = scope.get("payment_intent", params["payment_intent"], param="payment_intent")
    charge = scope.find("charge", intent["latest_charge"] or "")
    if charge is None or not charge["paid"]:
        refuse(
            f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.",
            param="payment_intent",
        )
    return charge


def _amount(scope: Scope, charge: Obj, params: Obj) -> int:
    """How much is refunded.

    Raises:
        Refused: when the charge was not paid, is disputed, or has less left.
    """
    charge_id = charge["id"]
    if not charge["captured"]:
        refuse(f"Charge {charge_id} has not been captured and can't be refunded.", param="charge")
    if any(not row["is_charge_refundable"] for row in disputes_of(scope, charge)):
        refuse(
            f"Charge {charge_id} has been charged back; cannot issue a refund.",
            code="charge_disputed",
        )
    left: int = charge["amount_captured"] - charge["amount_refunded"]
    if left == 0:
        refuse(f"Charge {charge_id} has already been refunded.", code="charge_already_refunded")
    amount: int = params.get("amount", left)
    if amount < 1:
        refuse("Invalid positive integer", code="parameter_invalid_integer", param="amount")
    if amount > left:
        refuse(
            f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})",
            param="amount",
        )
    return amount


def _available_with(scope: Scope, charge: Obj) -> int:
    """Money that is still pending is refunded from what is pending."""
    transaction = scope.get("balance_transaction", charge["balance_transaction"])
    available_on: int = transaction["available_on"]
    return max(scope.now, available_on)


def _refund(scope: Scope, charge: Obj, amount: int, params: Obj, card: Card) -> Obj:
    refund_id = scope.new_id("re")
    refund: Obj = {
        "id": refund_id,
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": scope.now,
        "currency": charge["currency"],
        "destination_details": {
            "card": {
                "reference_status": "pending",
                "reference_type": "acquirer_reference_number",
                "type": "refund",
            },
            "type": "card",
        },
        "failure_balance_transaction": None,
        "metadata": merged_metadata({}, params.get("metadata")),
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "reason": params.get("reason"),
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "pending" if card.refund == "pending" else "succeeded",
        "transfer_reversal": None,
    }
    if refund["status"] == "pending":
        refund["pending_reason"] = "processing"
    return refund


def _refunded(charge: Obj, amount: int) -> Obj:
    return {"amount_refunded": amount, "refunded": amount == charge["amount_captured"]}


@job("refund.ends")
def _end(scope: Scope, refund_id: str) -> None:
    refund = scope.get("refund", refund_id)
    card = card_of(scope.get("payment_method", refund["payment_method"]))
    if card.refund == "fails":
        fail_refund(scope, refund_id)
    elif refund["status"] == "pending":
        succeed_refund(scope, refund_id)


def succeed_refund(scope: Scope, refund_id: str) -> Obj:
    """A pending refund succeeds.

    Raises:
        Refused: 400 when it is not pending.
    """
    refund = scope.get("refund", refund_id)
    if refund["status"] != "pending":
        refuse(f"Refund {refund_id} is not pending but {refund['status']}.")
    previous = updated(refund, {"status": "succeeded"})
    refund.pop("pending_reason", None)
    scope.save(refund)
    emit(scope, "refund.updated", refund, previous=previous)
    emit(scope, "charge.refund.updated", refund, previous=previous)
    return refund


def fail_refund(scope: Scope, refund_id: str, *, reason: str = "expired_or_canceled_card") -> Obj:
    """The bank sends a refund back: the money returns to the balance, the charge is as before.

    Raises:
        Refused: 400 when it has failed already.
    """
    refund = scope.get("refund", refund_id)
    if refund["status"] not in {"pending", "succeeded"}:
        refuse(f"Refund {refund_id} is {refund['status']} already.")
    taken = scope.get("balance_transaction", refund["balance_transaction"])
    transaction = record(
        scope,
        kind="refund_failure",
        amount=refund["amount"],
        currency=refund["currency"],
        source=refund_id,
        available_on=max(scope.now, taken["available_on"]),
        description="REFUND FAILURE",
    )
    previous = updated(refund, {"status": "failed"})
    refund.pop("pending_reason", None)
    refund["failure_balance_transaction"] = transaction["id"]
    refund["failure_reason"] = reason
    scope.save(refund)
    charge = scope.get("charge", refund["charge"])
    before = updated(charge, _refunded(charge, charge["amount_refunded"] - refund["amount"]))
    scope.save(charge)
    for event_type in ("refund.failed", "refund.updated", "charge.refund.updated"):
        emit(scope, event_type, refund, previous=previous)
    emit(scope, "charge.updated", charge, previous=before)
    return refund


@route("GET", "/v1/refunds/{id}", RefundRetrieveParams)
def retrieve_refund(scope: Scope, _params: Obj, refund_id: str) -> Obj:
    return scope.get("refund", refund_id)


@route("POST", "/v1/refunds/{id}", RefundUpdateParams)
def update_refund(scope: Scope, params: Obj, refund_id: str) -> Obj:
    refund = scope.get("refund", refund_id)
    metadata = merged_metadata(refund, params.get("metadata"))
    previous = updated(refund, {"metadata": metadata})
    scope.save(refund)
    emit(scope, "refund.updated", refund, previous=previous)
    emit(scope, "charge.refund.updated", refund, previous=previous)
    return refund


@route("POST", "/v1/refunds/{id}/cancel", RefundCancelParams)
def cancel_refund(scope: Scope, _params: Obj, refund_id: str) -> Obj:
    refund = scope.get("refund", refund_id)
    refuse(f"Refund {refund['id']} can't be canceled: only one that requires action can.")


@route("GET", "/v1/refunds", RefundListParams)
def list_refunds(scope: Scope, params: Obj) -> Obj:
    filters = ("charge", "payment_intent")
    return page(scope.all("refund"), params, "/v1/refunds", filters=filters)


@route("GET", "/v1/charges/{id}/refunds", ChargeListRefundsParams)
def list_of_charge(scope: Scope, params: Obj, charge_id: str) -> Obj:
    scope.get("charge", charge_id)
    rows = [row for row in scope.all("refund") if row["charge"] == charge_id]
    return page(rows, params, f"/v1/charges/{charge_id}/refunds")
