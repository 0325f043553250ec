"""Charges: each try of a PaymentIntent to take money, whether it succeeds or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stripe.params import ChargeListParams, ChargeRetrieveParams, ChargeUpdateParams

from devstack.stripe.answers import page
from devstack.stripe.balance import record
from devstack.stripe.cards import Card, message
from devstack.stripe.disputes import open_dispute
from devstack.stripe.errors import Obj
from devstack.stripe.events import emit
from devstack.stripe.payment_methods import card_of
from devstack.stripe.routes import route
from devstack.stripe.world import Scope, job, merged_metadata, updated

_FIXED_FEE = 30
_FEE_PER_MILLE = 29


def processing_fee(amount: int) -> int:
    """Stripe's standard price of a card payment: 2.9 % + 30 minor units, rounded half up."""
    return (amount * _FEE_PER_MILLE + 500) // 1000 + _FIXED_FEE


def make_charge(
    scope: Scope,
    intent: Obj,
    method: Obj,
    *,
    failure: tuple[str, str | None] | None,
    authenticated: bool,
) -> Obj:
    """The charge of one try; `failure` is (code, decline code) where it was declined.

    A charge that succeeds gets its balance transaction, and what its test card brings.
    """
    card = card_of(method)
    captured = failure is None and intent["capture_method"] != "manual"
    charge = _charge(scope, intent, method, failure=failure)
    charge["captured"] = captured
    charge["amount_captured"] = intent["amount"] if captured else 0
    charge["payment_method_details"] = _details(method, intent["amount"], authenticated)
    if failure is not None:
        charge |= _failed(card, *failure)
    scope.save(charge)
    if captured and intent["capture_method"] == "automatic":
        settle_charge(scope, charge)
    elif captured:
        _settle_soon(scope, charge)
    emit(scope, "charge.failed" if failure else "charge.succeeded", charge)
    if failure is None:
        _what_follows(scope, charge, card)
    return charge


def _charge(
    scope: Scope, intent: Obj, method: Obj, *, failure: tuple[str, str | None] | None
) -> Obj:
    charge_id = scope.new_id("ch")
    return {
        "id": charge_id,
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": method["billing_details"],
        "calculated_statement_descriptor": "LOCAL STRIPE",
        "captured": False,
        "created": scope.now,
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "livemode": False,
        "metadata": dict(intent["metadata"]),
        "on_behalf_of": None,
        "outcome": {
            "advice_code": None,
            "network_advice_code": None,
            "network_decline_code": None,
            "network_status": "approved_by_network",
            "reason": None,
            "risk_level": "normal",
            "risk_score": 20,
            "seller_message": "Payment complete.",
            "type": "authorized",
        },
        "paid": failure is None,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": None,
        "presentment_details": None,
        "radar_options": {},
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": f"{scope.config.base_url}/receipts/{charge_id}" if not failure else None,
        "refunded": False,
        "review": None,
        "shipping": intent["shipping"],
        "source": None,
        "source_transfer": None,
        "statement_descriptor": intent["statement_descriptor"],
        "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
        "status": "failed" if failure else "succeeded",
        "transfer_data": None,
        "transfer_group": intent["transfer_group"],
    }


def _details(method: Obj, amount: int, authenticated: bool) -> Obj:
    card = {
        name: method["card"][name]
        for name in (
            "brand",
            "checks",
            "country",
            "exp_month",
            "exp_year",
            "fingerprint",
            "funding",
            "last4",
            "regulated_status",
            "wallet",
        )
    }
    three_d_secure = None
    if authenticated:
        three_d_secure = {
            "authentication_flow": "challenge",
            "electronic_commerce_indicator": "05",
            "exemption_indicator": None,
            "result": "authenticated",
            "result_reason": None,
            "version": "2.2.0",
        }
    return {
        "card": card
        | {
            "amount_authorized": amount,
            "authorization_code": None,
            "installments": None,
            "mandate": None,
            "network": method["card"]["brand"],
            "network_token": {"used": False},
            "three_d_secure": three_d_secure,
        },
        "type": "card",
    }


def _failed(card: Card, code: str, decline_code: str | None) -> Obj:
    """The fields of a charge that say why it failed."""
    outcome = {
        "advice_code": "try_again_later" if decline_code == "insufficient_funds" else None,
        "network_advice_code": None,
        "network_decline_code": None if card.blocked else "05",
        "network_status": "not_sent_to_network" if card.blocked else "declined_by_network",
        "reason": "highest_risk_level" if card.blocked else decline_code or code,
        "risk_level": "highest" if card.blocked else "normal",
        "risk_score": 90 if card.blocked else 20,
        "seller_message": (
            "Stripe blocked this payment as too risky."
            if card.blocked
            else "The bank did not return any further details with this decline."
        ),
        "type": "blocked" if card.blocked else "issuer_declined",
    }
    return {
        "failure_code": code,
        "failure_message": message(code, decline_code),
        "outcome": outcome,
    }


def settle_charge(scope: Scope, charge: Obj) -> None:
    """Write the balance transaction of a captured charge."""
    at_once = card_of(scope.get("payment_method", charge["payment_method"])).available_at_once
    amount = charge["amount_captured"]
    transaction = record(
        scope,
        kind="charge",
        amount=amount,
        currency=charge["currency"],
        source=charge["id"],
        fees=[(processing_fee(amount), "Stripe processing fees")],
        available_on=scope.now + (0 if at_once else scope.config.settle_seconds),
        description=charge["description"],
    )
    charge["balance_transaction"] = transaction["id"]
    scope.save(charge)


def _settle_soon(scope: Scope, charge: Obj) -> None:
    if scope.config.async_capture_seconds:
        scope.schedule("charge.settle", charge["id"], after=scope.config.async_capture_seconds)
    else:
        settle_charge(scope, charge)


@job("charge.settle")
def _settle_late(scope: Scope, charge_id: str) -> None:
    charge = scope.get("charge", charge_id)
    ensure_settled(scope, charge)


def ensure_settled(scope: Scope, charge: Obj) -> None:
    """Give a charge its balance transaction now, if it still waits for it."""
    if charge["captured"] and charge["balance_transaction"] is None:
        settle_charge(scope, charge)
        emit(scope, "charge.updated", charge, previous={"balance_transaction": None})


def _what_follows(scope: Scope, charge: Obj, card: Card) -> None:
    if card.fraud_warning:
        warning = scope.save(
            {
                "id": scope.new_id("issfr"),
                "object": "radar.early_fraud_warning",
                "actionable": True,
                "charge": charge["id"],
                "created": scope.now,
                "fraud_type": "made_with_stolen_card",
                "livemode": False,
                "payment_intent": charge["payment_intent"],
            }
        )
        emit(scope, "radar.early_fraud_warning.created", warning)
    if card.dispute is not None and charge["captured"]:
        ensure_settled(scope, charge)
        open_dispute(scope, charge, reason=card.dispute, inquiry=card.inquiry)


@route("GET", "/v1/charges/{id}", ChargeRetrieveParams)
def retrieve_charge(scope: Scope, _params: Obj, charge_id: str) -> Obj:
    return scope.get("charge", charge_id)


@route("POST", "/v1/charges/{id}", ChargeUpdateParams)
def update_charge(scope: Scope, params: Obj, charge_id: str) -> Obj:
    charge = scope.get("charge", charge_id)
    changes: dict[str, Any] = _plain(params, ("description", "receipt_email", "transfer_group"))
    if "metadata" in params:
        changes["metadata"] = merged_metadata(charge, params["metadata"])
    if "fraud_details" in params:
        changes["fraud_details"] = params["fraud_details"]
    previous = updated(charge, changes)
    scope.save(charge)
    emit(scope, "charge.updated", charge, previous=previous)
    return charge


def _plain(params: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: params[name] or None for name in names if name in params}


@route("GET", "/v1/charges", ChargeListParams)
def list_charges(scope: Scope, params: Obj) -> Obj:
    filters = ("customer", "payment_intent", "transfer_group")
    return page(scope.all("charge"), params, "/v1/charges", filters=filters)
