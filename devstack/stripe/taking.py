"""How a PaymentIntent takes money: authentication, the try, and what it leaves behind."""

from __future__ import annotations

import json
from typing import Any

from devstack.stripe.answers import shown
from devstack.stripe.cards import Card, message
from devstack.stripe.charges import make_charge
from devstack.stripe.errors import DOCS, Obj, Refused, refuse
from devstack.stripe.events import emit
from devstack.stripe.payment_methods import card_of, refuse_spent
from devstack.stripe.world import Scope, job

AUTHENTICATION_FAILED = (
    "We are unable to authenticate your payment method. Please choose a different payment method"
    " and try again."
)


def needs_authentication(card: Card, *, off_session: bool, set_up: bool) -> bool:
    """Whether the issuer wants 3-D Secure for this payment."""
    match card.authentication:
        case "always":
            return True
        case "unless_set_up":
            return not (off_session and set_up)
        case "on_session":
            return not off_session
    return False


def take(scope: Scope, intent: Obj, *, off_session: bool, error_on_action: bool = False) -> Obj:
    """Try to take the money of a confirmed PaymentIntent with its payment method.

    Raises:
        Refused: 402 of a decline, after the failed charge and the intent have been kept.
    """
    method = usable_method(scope, intent)
    card = card_of(method)
    intent["_off_session"] = off_session
    intent["last_payment_error"] = None
    if needs_authentication(card, off_session=off_session, set_up=method["_set_up"]):
        if off_session:
            code = "authentication_required"
            raise _declined(scope, intent, method, (code, code))
        if error_on_action:
            fail(scope, intent, method, "authentication_required", None, charge=None)
            raise _error(scope, intent)
        return _ask(scope, intent)
    failure = None if card.code is None else (card.code, card.decline_code)
    if failure is not None:
        raise _declined(scope, intent, method, failure)
    return succeed(scope, intent, method, authenticated=False)


def usable_method(scope: Scope, intent: Obj) -> Obj:
    """The intent's payment method, if it may be charged.

    Raises:
        Refused: it is another customer's, or used up.
    """
    method = scope.get("payment_method", intent["payment_method"], param="payment_method")
    if method["customer"] != intent["customer"] and method["customer"] is not None:
        refuse(
            f"The customer does not have a payment method with the ID {method['id']}. The payment"
            " method must be attached to the customer."
            if intent["customer"]
            else f"The provided PaymentMethod ({method['id']}) is attached to a customer, whose ID"
            " must be given as customer.",
            param="payment_method",
        )
    refuse_spent(method)
    return method


def _ask(scope: Scope, intent: Obj) -> Obj:
    """The buyer has to authenticate: on a page of ours, or in Stripe.js."""
    url = f"{scope.config.base_url}/_pages/authenticate/{intent['id']}"
    if intent["_return_url"]:
        intent["next_action"] = {
            "redirect_to_url": {"return_url": intent["_return_url"], "url": url},
            "type": "redirect_to_url",
        }
    else:
        intent["next_action"] = {
            "type": "use_stripe_sdk",
            "use_stripe_sdk": {"type": "three_d_secure_redirect", "stripe_js": url},
        }
    intent["status"] = "requires_action"
    scope.save(intent)
    emit(scope, "payment_intent.requires_action", intent)
    return intent


def authenticated(scope: Scope, intent_id: str, *, passed: bool) -> Obj:
    """The buyer has answered the 3-D Secure challenge. A decline after it is no error here.

    Raises:
        Refused: 400 when nothing was asked.
    """
    intent = scope.get("payment_intent", intent_id)
    if intent["status"] != "requires_action":
        refuse(f"{intent_id} asks for no authentication: it is {intent['status']}.")
    method = scope.get("payment_method", intent["payment_method"])
    if not passed:
        code = "payment_intent_authentication_failure"
        return fail(scope, intent, method, code, None, charge=None)
    card = card_of(method)
    if card.code is not None:
        charge = make_charge(
            scope, intent, method, failure=(card.code, card.decline_code), authenticated=True
        )
        return fail(scope, intent, method, card.code, card.decline_code, charge=charge)
    return succeed(scope, intent, method, authenticated=True)


def succeed(scope: Scope, intent: Obj, method: Obj, *, authenticated: bool) -> Obj:
    """The money is taken, or held where `capture_method` is manual."""
    if scope.config.processing_seconds:
        intent["status"] = "processing"
        intent["next_action"] = None
        intent["_authenticated"] = authenticated
        scope.save(intent)
        emit(scope, "payment_intent.processing", intent)
        scope.schedule("intent.processed", intent["id"], after=scope.config.processing_seconds)
        return intent
    return _finish(scope, intent, method, authenticated=authenticated)


@job("intent.processed")
def _processed(scope: Scope, intent_id: str) -> None:
    intent = scope.get("payment_intent", intent_id)
    method = scope.get("payment_method", intent["payment_method"])
    if intent["status"] == "processing":
        _finish(scope, intent, method, authenticated=intent["_authenticated"])


def _finish(scope: Scope, intent: Obj, method: Obj, *, authenticated: bool) -> Obj:
    charge = make_charge(scope, intent, method, failure=None, authenticated=authenticated)
    manual = intent["capture_method"] == "manual"
    intent |= {
        "amount_capturable": intent["amount"] if manual else 0,
        "amount_received": 0 if manual else intent["amount"],
        "latest_charge": charge["id"],
        "next_action": None,
        "status": "requires_capture" if manual else "succeeded",
    }
    scope.save(intent)
    _keep_method(scope, intent, method)
    kind = "amount_capturable_updated" if manual else "succeeded"
    emit(scope, f"payment_intent.{kind}", intent)
    return intent


def _keep_method(scope: Scope, intent: Obj, method: Obj) -> None:
    """Save the payment method as the intent says; one of no customer is used up."""
    if intent["setup_future_usage"] == "off_session":
        method["_set_up"] = True
    if method["customer"] is None:
        if intent["customer"] and intent["setup_future_usage"]:
            method["customer"] = intent["customer"]
            emit(scope, "payment_method.attached", method)
        else:
            method["_spent"] = True
    scope.save(method)


def _declined(scope: Scope, intent: Obj, method: Obj, failure: tuple[str, str | None]) -> Refused:
    charge = make_charge(scope, intent, method, failure=failure, authenticated=False)
    fail(scope, intent, method, *failure, charge=charge)
    return _error(scope, intent)


def fail(
    scope: Scope,
    intent: Obj,
    method: Obj,
    code: str,
    decline_code: str | None,
    *,
    charge: Obj | None,
) -> Obj:
    """The try did not succeed: the intent wants another payment method."""
    authentication = code == "payment_intent_authentication_failure"
    error: dict[str, Any] = {
        "code": code,
        "doc_url": f"{DOCS}/{code.replace('_', '-')}",
        "message": AUTHENTICATION_FAILED if authentication else message(code, decline_code),
        "payment_method": json.loads(json.dumps(shown(scope, method))),
        "type": "invalid_request_error" if authentication else "card_error",
    }
    if charge is not None:
        error |= {"charge": charge["id"]}
        intent["latest_charge"] = charge["id"]
    if decline_code is not None:
        error["decline_code"] = decline_code
    intent |= {
        "last_payment_error": error,
        "next_action": None,
        "payment_method": None,
        "status": "requires_payment_method",
    }
    scope.save(intent)
    emit(scope, "payment_intent.payment_failed", intent)
    return intent


def _error(scope: Scope, intent: Obj) -> Refused:
    """The 402 that tells of the intent's last error, with the intent in it."""
    error = dict(intent["last_payment_error"])
    return Refused(
        402,
        error.pop("message"),
        kind=error.pop("type"),
        payment_intent=shown(scope, intent),
        **error,
    )
