"""PaymentIntents: made, confirmed, captured, canceled and found again."""

from __future__ import annotations

from typing import Any, NoReturn

from stripe.params import (
    PaymentIntentCancelParams,
    PaymentIntentCaptureParams,
    PaymentIntentConfirmParams,
    PaymentIntentCreateParams,
    PaymentIntentListParams,
    PaymentIntentRetrieveParams,
    PaymentIntentSearchParams,
    PaymentIntentUpdateParams,
)

from devstack.stripe.answers import page, shown
from devstack.stripe.charges import settle_charge
from devstack.stripe.customers import live_customer
from devstack.stripe.errors import Obj, refuse
from devstack.stripe.events import emit
from devstack.stripe.payment_methods import of_data, resolved
from devstack.stripe.routes import route
from devstack.stripe.searching import search
from devstack.stripe.taking import take, usable_method
from devstack.stripe.world import Scope, merged_metadata, updated

MINIMUMS = {"usd": 50, "eur": 50, "gbp": 30, "jpy": 50, "cad": 50, "aud": 50, "chf": 50}
"""The least that Stripe charges, in minor units; 50 elsewhere here."""
MAXIMUM = 99_999_999
_CURRENCIES = frozenset(
    [
        "usd",
        "eur",
        "gbp",
        "jpy",
        "cad",
        "aud",
        "chf",
        "sek",
        "nok",
        "dkk",
        "pln",
        "czk",
        "huf",
        "ron",
        "bgn",
        "mxn",
        "brl",
        "nzd",
        "sgd",
        "hkd",
        "inr",
        "krw",
        "try",
        "bhd",
        "kwd",
        "jod",
        "omr",
        "tnd",
    ]
)
_CONFIRMABLE = frozenset({"requires_payment_method", "requires_confirmation", "requires_action"})
_CANCELABLE = frozenset({*_CONFIRMABLE, "requires_capture", "processing"})
_ONLY_CONFIRMING = ("off_session", "return_url", "error_on_requires_action", "mandate_data")


@route("POST", "/v1/payment_intents", PaymentIntentCreateParams)
def create_intent(scope: Scope, params: Obj) -> Obj:
    confirm = params.get("confirm", False)
    _check_amount(params["amount"], params["currency"].lower())
    for name in _ONLY_CONFIRMING:
        if name in params and not confirm:
            refuse(f"You can only provide `{name}` when confirming a PaymentIntent.", param=name)
    if params.get("customer"):
        live_customer(scope, params["customer"])
    if confirm:
        _require_return_url(params)
    intent = _made(scope, params)
    if confirm and intent["payment_method"] is None:
        refuse(
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can"
            " either update the PaymentIntent with a payment method and then confirm it again, or"
            " confirm it again directly with a payment method.",
            code="payment_intent_unexpected_state",
        )
    if confirm:
        usable_method(scope, intent)
    scope.save(intent)
    emit(scope, "payment_intent.created", intent)
    return _confirmed(scope, intent, params) if confirm else intent


def _check_amount(amount: int, currency: str) -> None:
    if currency not in _CURRENCIES:
        refuse(f"Invalid currency: {currency}.", param="currency")
    if amount < 1:
        refuse("Invalid positive integer", code="parameter_invalid_integer", param="amount")
    if amount < MINIMUMS.get(currency, 50):
        refuse(
            "Amount must convert to at least 50 cents. See https://stripe.com/docs/currencies"
            "#minimum-and-maximum-charge-amounts",
            code="amount_too_small",
            param="amount",
        )
    if amount > MAXIMUM:
        refuse("Amount must be no more than 8 digits.", code="amount_too_large", param="amount")


def _require_return_url(params: Obj) -> None:
    """Methods that redirect need somewhere to come back to, unless they are ruled out."""
    automatic = params.get("automatic_payment_methods") or {}
    only_cards = (
        bool(params.get("allowed_payment_method_types"))
        or automatic.get("allow_redirects") == "never"
    )
    if not only_cards and not params.get("off_session") and "return_url" not in params:
        refuse(
            "This PaymentIntent is configured to accept payment methods enabled in your Dashboard."
            " Because some of these payment methods might redirect your customer off of your"
            " page, you must provide a `return_url`. If you don't want to accept redirect-based"
            " payment methods, set `automatic_payment_methods[enabled]` to `true` and"
            " `automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents"
            " and Payment Intents."
        )


def _made(scope: Scope, params: Obj) -> Obj:
    intent_id = scope.new_id("pi")
    method = _method_of(scope, params)
    allowed = params.get("allowed_payment_method_types")
    automatic = None if allowed else {"allow_redirects": "always", "enabled": True}
    if params.get("automatic_payment_methods"):
        automatic = {"allow_redirects": "always", **params["automatic_payment_methods"]}
    plain = (
        "customer",
        "description",
        "on_behalf_of",
        "receipt_email",
        "setup_future_usage",
        "shipping",
        "statement_descriptor",
        "statement_descriptor_suffix",
        "transfer_group",
    )
    return {
        "id": intent_id,
        "object": "payment_intent",
        "allowed_payment_method_types": allowed,
        "amount": params["amount"],
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": automatic,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": params.get("capture_method", "automatic_async"),
        "client_secret": f"{intent_id}_secret_{scope.world.secret(intent_id)}",
        "confirmation_method": params.get("confirmation_method", "automatic"),
        "created": scope.now,
        "currency": params["currency"].lower(),
        **{name: params.get(name) or None for name in plain},
        "excluded_payment_method_types": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": merged_metadata({}, params.get("metadata")),
        "next_action": None,
        "payment_method": None if method is None else method["id"],
        "payment_method_configuration_details": None,
        "payment_method_options": {
            "card": {
                "installments": None,
                "mandate_options": None,
                "network": None,
                "request_three_d_secure": "automatic",
            }
        },
        "payment_method_types": ["card"],
        "processing": None,
        "review": None,
        "source": None,
        "status": "requires_payment_method" if method is None else "requires_confirmation",
        "transfer_data": None,
        "_off_session": False,
        "_return_url": None,
    }


def _method_of(scope: Scope, params: Obj) -> Obj | None:
    if "payment_method_data" in params:
        return of_data(scope, params["payment_method_data"])
    if params.get("payment_method"):
        return resolved(scope, params["payment_method"])
    return None


def _confirmed(scope: Scope, intent: Obj, params: Obj) -> Obj:
    """Confirm an intent that has its payment method."""
    off_session = params.get("off_session", False)
    if off_session and params.get("setup_future_usage"):
        refuse(
            "You cannot provide both setup_future_usage and off_session=true.",
            param="setup_future_usage",
        )
    intent["_return_url"] = params.get("return_url")
    return take(
        scope,
        intent,
        off_session=bool(off_session),
        error_on_action=params.get("error_on_requires_action", False),
    )


@route("POST", "/v1/payment_intents/{id}/confirm", PaymentIntentConfirmParams)
def confirm_intent(scope: Scope, params: Obj, intent_id: str) -> Obj:
    intent = scope.get("payment_intent", intent_id, param=None)
    if intent["status"] not in _CONFIRMABLE:
        said = (
            "it has already succeeded after being previously confirmed"
            if intent["status"] == "succeeded"
            else f"it has a status of {intent['status']}"
        )
        _unexpected(scope, intent, f"You cannot confirm this PaymentIntent because {said}.")
    method = _method_of(scope, params)
    if method is not None:
        intent["payment_method"] = method["id"]
    if intent["payment_method"] is None:
        _unexpected(
            scope,
            intent,
            "You cannot confirm this PaymentIntent because it's missing a payment method. Update"
            " the PaymentIntent with a payment method and then confirm it again.",
        )
    _require_return_url({**intent, **params})
    for name in ("setup_future_usage", "receipt_email", "capture_method"):
        if name in params:
            intent[name] = params[name] or None
    return _confirmed(scope, intent, params)


def _unexpected(scope: Scope, intent: Obj, said: str) -> NoReturn:
    refuse(said, code="payment_intent_unexpected_state", payment_intent=shown(scope, intent))


@route("POST", "/v1/payment_intents/{id}/cancel", PaymentIntentCancelParams)
def cancel_intent(scope: Scope, params: Obj, intent_id: str) -> Obj:
    intent = scope.get("payment_intent", intent_id)
    if intent["status"] not in _CANCELABLE:
        _unexpected(
            scope,
            intent,
            f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}."
            " Only a PaymentIntent with one of the following statuses may be canceled:"
            " requires_payment_method, requires_capture, requires_confirmation, requires_action,"
            " processing.",
        )
    intent |= {
        "amount_capturable": 0,
        "canceled_at": scope.now,
        "cancellation_reason": params.get("cancellation_reason"),
        "next_action": None,
        "status": "canceled",
    }
    scope.save(intent)
    emit(scope, "payment_intent.canceled", intent)
    return intent


@route("POST", "/v1/payment_intents/{id}/capture", PaymentIntentCaptureParams)
def capture_intent(scope: Scope, params: Obj, intent_id: str) -> Obj:
    intent = scope.get("payment_intent", intent_id)
    if intent["status"] != "requires_capture":
        _unexpected(
            scope,
            intent,
            "This PaymentIntent could not be captured because it has a status of"
            f" {intent['status']}. Only a PaymentIntent with one of the following statuses may be"
            " captured: requires_capture.",
        )
    amount: int = params.get("amount_to_capture") or intent["amount"]
    if not 0 < amount <= intent["amount_capturable"]:
        refuse("The amount is more than can be captured.", param="amount_to_capture")
    charge = scope.get("charge", intent["latest_charge"])
    charge |= {"captured": True, "amount_captured": amount}
    settle_charge(scope, charge)
    emit(scope, "charge.captured", charge)
    intent |= {"amount_capturable": 0, "amount_received": amount, "status": "succeeded"}
    scope.save(intent)
    emit(scope, "payment_intent.succeeded", intent)
    return intent


@route("POST", "/v1/payment_intents/{id}", PaymentIntentUpdateParams)
def update_intent(scope: Scope, params: Obj, intent_id: str) -> Obj:
    intent = scope.get("payment_intent", intent_id)
    always = {"metadata", "description", "receipt_email", "transfer_group", "expand"}
    if set(params) - always and intent["status"] not in _CONFIRMABLE:
        _unexpected(
            scope,
            intent,
            "This PaymentIntent's parameters could not be updated because it has a status of"
            f" {intent['status']}.",
        )
    amount = params.get("amount") or intent["amount"]
    currency: str = params.get("currency") or intent["currency"]
    _check_amount(amount, currency)
    changes: dict[str, Any] = {"amount": amount, "currency": currency}
    if params.get("customer"):
        live_customer(scope, params["customer"])
    texts = ("customer", "description", "receipt_email", "setup_future_usage", "transfer_group")
    changes |= {name: params[name] or None for name in texts if name in params}
    method = _method_of(scope, params)
    if method is not None:
        changes |= {"payment_method": method["id"], "status": "requires_confirmation"}
    if "metadata" in params:
        changes["metadata"] = merged_metadata(intent, params["metadata"])
    updated(intent, changes)
    # Stripe makes no event of an update.
    return scope.save(intent)


@route("GET", "/v1/payment_intents/search", PaymentIntentSearchParams)
def search_intents(scope: Scope, params: Obj) -> Obj:
    rows = scope.all("payment_intent")
    return search(scope, rows, params, "/v1/payment_intents/search")


@route("GET", "/v1/payment_intents/{id}", PaymentIntentRetrieveParams)
def retrieve_intent(scope: Scope, _params: Obj, intent_id: str) -> Obj:
    return scope.get("payment_intent", intent_id)


@route("GET", "/v1/payment_intents", PaymentIntentListParams)
def list_intents(scope: Scope, params: Obj) -> Obj:
    rows = scope.all("payment_intent")
    return page(rows, params, "/v1/payment_intents", filters=("customer",))
