"""SetupIntents: saving a payment method to a customer for later."""

from __future__ import annotations

import json
from typing import NoReturn

from stripe.params import (
    SetupAttemptListParams,
    SetupIntentCancelParams,
    SetupIntentConfirmParams,
    SetupIntentCreateParams,
    SetupIntentListParams,
    SetupIntentRetrieveParams,
    SetupIntentUpdateParams,
)

from devstack.stripe.answers import page, shown
from devstack.stripe.cards import message
from devstack.stripe.customers import live_customer
from devstack.stripe.errors import DOCS, Obj, Refused, refuse
from devstack.stripe.events import emit
from devstack.stripe.payment_methods import card_of, of_data, refuse_spent, resolved
from devstack.stripe.routes import route
from devstack.stripe.taking import AUTHENTICATION_FAILED
from devstack.stripe.world import Scope, merged_metadata, updated

_CONFIRMABLE = frozenset({"requires_payment_method", "requires_confirmation", "requires_action"})


@route("POST", "/v1/setup_intents", SetupIntentCreateParams)
def create_setup(scope: Scope, params: Obj) -> Obj:
    if params.get("customer"):
        live_customer(scope, params["customer"])
    confirm = params.get("confirm", False)
    for name in ("return_url", "mandate_data"):
        if name in params and not confirm:
            refuse(f"You can only provide `{name}` when confirming a SetupIntent.", param=name)
    method = _method_of(scope, params)
    if confirm and method is None:
        refuse(
            "You cannot confirm this SetupIntent because it's missing a payment method.",
            code="setup_intent_unexpected_state",
        )
    setup_id = scope.new_id("seti")
    allowed = params.get("allowed_payment_method_types")
    automatic = None if allowed else {"allow_redirects": "always", "enabled": True}
    setup = {
        "id": setup_id,
        "object": "setup_intent",
        "allowed_payment_method_types": allowed,
        "application": None,
        "automatic_payment_methods": params.get("automatic_payment_methods") or automatic,
        "cancellation_reason": None,
        "client_secret": f"{setup_id}_secret_{scope.world.secret(setup_id)}",
        "created": scope.now,
        "customer": params.get("customer"),
        "description": params.get("description"),
        "excluded_payment_method_types": None,
        "flow_directions": None,
        "last_setup_error": None,
        "latest_attempt": None,
        "livemode": False,
        "mandate": None,
        "metadata": merged_metadata({}, params.get("metadata")),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None if method is None else method["id"],
        "payment_method_configuration_details": None,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": ["card"],
        "single_use_mandate": None,
        "status": "requires_payment_method" if method is None else "requires_confirmation",
        "usage": params.get("usage", "off_session"),
    }
    scope.save(setup)
    emit(scope, "setup_intent.created", setup)
    return _try(scope, setup, params) if confirm else setup


def _method_of(scope: Scope, params: Obj) -> Obj | None:
    if "payment_method_data" in params:
        return of_data(scope, params["payment_method_data"])
    if params.get("payment_method"):
        return resolved(scope, params["payment_method"])
    return None


def _try(scope: Scope, setup: Obj, params: Obj) -> Obj:
    """Ask the issuer to save the card.

    Raises:
        Refused: 402 when it declines.
    """
    method = scope.get("payment_method", setup["payment_method"])
    if method["customer"] not in (None, setup["customer"]):
        refuse(
            "The payment method you provided has already been attached to a customer.",
            param="payment_method",
        )
    refuse_spent(method)
    card = card_of(method)
    setup["latest_attempt"] = _attempt(scope, setup, method)["id"]
    if card.code is not None and not card.attaches:
        raise _declined(scope, setup, method, card.code, card.decline_code)
    if card.authentication == "never":
        return _succeed(scope, setup, method)
    url = f"{scope.config.base_url}/_pages/authenticate/{setup['id']}"
    if "return_url" in params:
        setup["next_action"] = {
            "redirect_to_url": {"return_url": params["return_url"], "url": url},
            "type": "redirect_to_url",
        }
    else:
        setup["next_action"] = {
            "type": "use_stripe_sdk",
            "use_stripe_sdk": {"type": "three_d_secure_redirect", "stripe_js": url},
        }
    setup["status"] = "requires_action"
    scope.save(setup)
    emit(scope, "setup_intent.requires_action", setup)
    return setup


def _attempt(scope: Scope, setup: Obj, method: Obj) -> Obj:
    """One try to confirm; it waits for the buyer until it is known how it ended."""
    return scope.save(
        {
            "id": scope.new_id("setatt"),
            "object": "setup_attempt",
            "application": None,
            "created": scope.now,
            "customer": setup["customer"],
            "flow_directions": None,
            "livemode": False,
            "on_behalf_of": None,
            "payment_method": method["id"],
            "payment_method_details": {"card": {"three_d_secure": None}, "type": "card"},
            "setup_error": None,
            "setup_intent": setup["id"],
            "status": "requires_action",
            "usage": setup["usage"],
        }
    )


def _end_attempt(scope: Scope, setup: Obj, status: str, error: Obj | None = None) -> None:
    attempt = scope.get("setup_attempt", setup["latest_attempt"])
    scope.save(attempt | {"status": status, "setup_error": error})


def _succeed(scope: Scope, setup: Obj, method: Obj) -> Obj:
    method["_set_up"] = setup["usage"] == "off_session"
    if setup["customer"] and method["customer"] is None:
        method["customer"] = setup["customer"]
        emit(scope, "payment_method.attached", method)
    scope.save(method)
    _end_attempt(scope, setup, "succeeded")
    setup |= {"next_action": None, "last_setup_error": None, "status": "succeeded"}
    scope.save(setup)
    emit(scope, "setup_intent.succeeded", setup)
    return setup


def _fail(scope: Scope, setup: Obj, error: Obj, method: Obj) -> Obj:
    error["payment_method"] = json.loads(json.dumps(shown(scope, method)))
    _end_attempt(scope, setup, "failed", error)
    setup |= {
        "last_setup_error": error,
        "next_action": None,
        "payment_method": None,
        "status": "requires_payment_method",
    }
    scope.save(setup)
    emit(scope, "setup_intent.setup_failed", setup)
    return setup


def _declined(
    scope: Scope, setup: Obj, method: Obj, code: str, decline_code: str | None
) -> Refused:
    error: Obj = {
        "code": code,
        "decline_code": decline_code,
        "doc_url": f"{DOCS}/{code.replace('_', '-')}",
        "message": message(code, decline_code),
        "type": "card_error",
    }
    _fail(scope, setup, error, method)
    return Refused(
        402,
        error["message"],
        kind="card_error",
        code=code,
        decline_code=decline_code,
        payment_method=error["payment_method"],
        setup_intent=shown(scope, setup),
    )


def setup_authenticated(scope: Scope, setup_id: str, *, passed: bool) -> Obj:
    """The buyer has answered the 3-D Secure challenge.

    Raises:
        Refused: 400 when nothing was asked.
    """
    setup = scope.get("setup_intent", setup_id)
    if setup["status"] != "requires_action":
        refuse(f"{setup_id} asks for no authentication: it is {setup['status']}.")
    method = scope.get("payment_method", setup["payment_method"])
    if passed:
        return _succeed(scope, setup, method)
    code = "setup_intent_authentication_failure"
    error = {
        "code": code,
        "doc_url": f"{DOCS}/{code.replace('_', '-')}",
        "message": AUTHENTICATION_FAILED,
        "type": "invalid_request_error",
    }
    return _fail(scope, setup, error, method)


@route("POST", "/v1/setup_intents/{id}/confirm", SetupIntentConfirmParams)
def confirm_setup(scope: Scope, params: Obj, setup_id: str) -> Obj:
    setup = scope.get("setup_intent", setup_id)
    if setup["status"] not in _CONFIRMABLE:
        _unexpected(scope, setup, "confirm")
    method = _method_of(scope, params)
    if method is not None:
        setup["payment_method"] = method["id"]
    if setup["payment_method"] is None:
        _unexpected(scope, setup, "confirm")
    return _try(scope, setup, params)


def _unexpected(scope: Scope, setup: Obj, what: str) -> NoReturn:
    refuse(
        f"You cannot {what} this SetupIntent because it has a status of {setup['status']}.",
        code="setup_intent_unexpected_state",
        setup_intent=shown(scope, setup),
    )


@route("POST", "/v1/setup_intents/{id}/cancel", SetupIntentCancelParams)
def cancel_setup(scope: Scope, params: Obj, setup_id: str) -> Obj:
    setup = scope.get("setup_intent", setup_id)
    if setup["status"] not in _CONFIRMABLE:
        _unexpected(scope, setup, "cancel")
    setup |= {
        "cancellation_reason": params.get("cancellation_reason"),
        "next_action": None,
        "status": "canceled",
    }
    scope.save(setup)
    emit(scope, "setup_intent.canceled", setup)
    return setup


@route("POST", "/v1/setup_intents/{id}", SetupIntentUpdateParams)
def update_setup(scope: Scope, params: Obj, setup_id: str) -> Obj:
    setup = scope.get("setup_intent", setup_id)
    if setup["status"] not in _CONFIRMABLE:
        _unexpected(scope, setup, "update")
    changes: Obj = {}
    if params.get("customer"):
        changes["customer"] = live_customer(scope, params["customer"])["id"]
    method = _method_of(scope, params)
    if method is not None:
        changes |= {"payment_method": method["id"], "status": "requires_confirmation"}
    if "metadata" in params:
        changes["metadata"] = merged_metadata(setup, params["metadata"])
    updated(setup, changes)
    return scope.save(setup)


@route("GET", "/v1/setup_intents/{id}", SetupIntentRetrieveParams)
def retrieve_setup(scope: Scope, _params: Obj, setup_id: str) -> Obj:
    return scope.get("setup_intent", setup_id)


@route("GET", "/v1/setup_intents", SetupIntentListParams)
def list_setups(scope: Scope, params: Obj) -> Obj:
    filters = ("customer", "payment_method")
    return page(scope.all("setup_intent"), params, "/v1/setup_intents", filters=filters)


@route("GET", "/v1/setup_attempts", SetupAttemptListParams)
def list_attempts(scope: Scope, params: Obj) -> Obj:
    scope.get("setup_intent", params["setup_intent"], param="setup_intent")
    rows = scope.all("setup_attempt")
    return page(rows, params, "/v1/setup_attempts", filters=("setup_intent",))
