"""Payment methods: cards, by test name, by number or by token."""

from __future__ import annotations

from datetime import UTC, datetime

from stripe.params import (
    CustomerListPaymentMethodsParams,
    CustomerRetrievePaymentMethodParams,
    PaymentMethodAttachParams,
    PaymentMethodCreateParams,
    PaymentMethodDetachParams,
    PaymentMethodListParams,
    PaymentMethodRetrieveParams,
    PaymentMethodUpdateParams,
)

from devstack.stripe.answers import page
from devstack.stripe.cards import Card, message, named, numbered, passes_luhn
from devstack.stripe.errors import Obj, Refused, refuse
from devstack.stripe.events import emit
from devstack.stripe.ids import token
from devstack.stripe.routes import route
from devstack.stripe.world import Scope, merged_metadata, updated

_NO_ADDRESS = {
    "city": None,
    "country": None,
    "line1": None,
    "line2": None,
    "postal_code": None,
    "state": None,
}


def fingerprint(card: Card) -> str:
    """The same for the same number, whoever saves it."""
    return token("fingerprint", card.number, 16)


def card_of(method: Obj) -> Card:
    return numbered(method["_number"])


def made(
    scope: Scope, card: Card, *, params: Obj | None = None, month: int = 0, year: int = 0
) -> Obj:
    """A new payment method of `card`, of no customer."""
    given = params or {}
    billing = given.get("billing_details") or {}
    address = {**_NO_ADDRESS, **(billing.get("address") or {})}
    this_year = datetime.fromtimestamp(scope.now, UTC).year
    return scope.save(
        {
            "id": scope.new_id("pm"),
            "object": "payment_method",
            "allow_redisplay": given.get("allow_redisplay", "unspecified"),
            "billing_details": {
                "address": address,
                "email": billing.get("email") or None,
                "name": billing.get("name") or None,
                "phone": billing.get("phone") or None,
                "tax_id": None,
            },
            "card": {
                "brand": card.brand,
                "checks": {
                    "address_line1_check": None,
                    "address_postal_code_check": None,
                    "cvc_check": "unchecked",
                },
                "country": card.country,
                "display_brand": card.brand,
                "exp_month": month or 8,
                "exp_year": year or this_year + 1,
                "fingerprint": fingerprint(card),
                "funding": card.funding,
                "generated_from": None,
                "last4": card.last4,
                "networks": {"available": [card.brand], "preferred": None},
                "regulated_status": "unregulated",
                "three_d_secure_usage": {"supported": True},
                "wallet": None,
            },
            "created": scope.now,
            "customer": None,
            "livemode": False,
            "metadata": merged_metadata({}, given.get("metadata")),
            "type": "card",
            "_number": card.number,
            "_set_up": False,
            "_spent": False,
        }
    )


def resolved(scope: Scope, wanted: str, *, param: str = "payment_method") -> Obj:
    """The payment method of an id, or a new one for a test name such as `pm_card_visa`.

    Raises:
        Refused: `resource_missing`.
    """
    card = named(wanted)
    return scope.get("payment_method", wanted, param=param) if card is None else made(scope, card)


def of_data(scope: Scope, params: Obj) -> Obj:
    """A payment method from `card[number]` or `card[token]`.

    Raises:
        Refused: for another type, or a card that can't be.
    """
    if params.get("type") != "card":
        refuse("This Stripe knows payment methods of the type card only.", param="type")
    given = params.get("card") or {}
    if "token" in given:
        card = named(given["token"])
        if card is None:
            refuse(
                f"No such token: '{given['token']}'", code="resource_missing", param="card[token]"
            )
        return made(scope, card, params=params)
    for name in ("number", "exp_month", "exp_year"):
        if name not in given:
            param = f"card[{name}]"
            refuse(f"Missing required param: {param}.", code="parameter_missing", param=param)
    if not passes_luhn(given["number"]):
        raise Refused(
            402,
            "Your card number is incorrect.",
            kind="card_error",
            code="incorrect_number",
            param="number",
        )
    month, year = given["exp_month"], given["exp_year"]
    today = datetime.fromtimestamp(scope.now, UTC)
    if not 1 <= month <= 12 or (year, month) < (today.year, today.month):
        wrong = "exp_year" if 1 <= month <= 12 else "exp_month"
        said = "year" if wrong == "exp_year" else "month"
        raise Refused(
            402,
            f"Your card's expiration {said} is invalid.",
            kind="card_error",
            code=f"invalid_expiry_{said}",
            param=wrong,
        )
    return made(scope, numbered(given["number"]), params=params, month=month, year=year)


def attach(scope: Scope, wanted: str, customer_id: str, *, customer: Obj | None = None) -> Obj:
    """Save a payment method to a customer.

    Raises:
        Refused: a card that its issuer declines, one of another customer, or one used up.
    """
    if customer is None:
        found = scope.find("customer", customer_id)
        if found is None or found.get("deleted"):
            refuse(f"No such customer: '{customer_id}'", code="resource_missing", param="customer")
    method = resolved(scope, wanted)
    if method["customer"] == customer_id:
        return method
    if method["customer"] is not None:
        refuse("The payment method you provided has already been attached to a customer.")
    refuse_spent(method)
    card = card_of(method)
    if card.code is not None and not card.attaches:
        raise Refused(
            402,
            message(card.code, card.decline_code),
            kind="card_error",
            code=card.code,
            decline_code=card.decline_code,
            param="",
        )
    method["customer"] = customer_id
    method["card"]["checks"]["cvc_check"] = "pass"
    scope.save(method)
    emit(scope, "payment_method.attached", method)
    return method


def refuse_spent(method: Obj) -> None:
    """A payment method that was used without a customer, or detached from one, is at its end.

    Raises:
        Refused: 400.
    """
    if method["_spent"]:
        refuse(
            "This PaymentMethod was previously used without being attached to a Customer or was"
            " detached from a Customer, and may not be used again."
        )


@route("POST", "/v1/payment_methods", PaymentMethodCreateParams)
def create_payment_method(scope: Scope, params: Obj) -> Obj:
    return of_data(scope, params)


@route("GET", "/v1/payment_methods/{id}", PaymentMethodRetrieveParams)
def retrieve_payment_method(scope: Scope, _params: Obj, method_id: str) -> Obj:
    return scope.get("payment_method", method_id)


@route("POST", "/v1/payment_methods/{id}", PaymentMethodUpdateParams)
def update_payment_method(scope: Scope, params: Obj, method_id: str) -> Obj:
    method = scope.get("payment_method", method_id)
    if method["customer"] is None:
        refuse("You must save this PaymentMethod to a customer before you can update it.")
    changes: Obj = {}
    if "billing_details" in params:
        given = params["billing_details"] or {}
        billing = {**method["billing_details"], **given}
        billing["address"] = {**_NO_ADDRESS, **(given.get("address") or {})}
        changes["billing_details"] = billing
    if "card" in params:
        changes["card"] = {**method["card"], **params["card"]}
    if "metadata" in params:
        changes["metadata"] = merged_metadata(method, params["metadata"])
    previous = updated(method, changes)
    scope.save(method)
    emit(scope, "payment_method.updated", method, previous=previous)
    return method


@route("POST", "/v1/payment_methods/{id}/attach", PaymentMethodAttachParams)
def attach_payment_method(scope: Scope, params: Obj, method_id: str) -> Obj:
    if "customer" not in params:
        refuse("Missing required param: customer.", code="parameter_missing", param="customer")
    return attach(scope, method_id, params["customer"])


@route("POST", "/v1/payment_methods/{id}/detach", PaymentMethodDetachParams)
def detach_payment_method(scope: Scope, _params: Obj, method_id: str) -> Obj:
    method = scope.get("payment_method", method_id)
    customer_id = method["customer"]
    if customer_id is None:
        refuse(
            "The payment method you provided is not attached to a customer so detachment is"
            " impossible."
        )
    method["customer"] = None
    method["_spent"] = True
    scope.save(method)
    customer = scope.get("customer", customer_id)
    if customer["invoice_settings"]["default_payment_method"] == method_id:
        customer["invoice_settings"]["default_payment_method"] = None
        scope.save(customer)
    emit(scope, "payment_method.detached", method, previous={"customer": customer_id})
    return method


@route("GET", "/v1/payment_methods", PaymentMethodListParams)
def list_payment_methods(scope: Scope, params: Obj) -> Obj:
    rows = [row for row in scope.all("payment_method") if row["customer"] is not None]
    return page(rows, params, "/v1/payment_methods", filters=("customer", "type"))


@route("GET", "/v1/customers/{id}/payment_methods", CustomerListPaymentMethodsParams)
def list_of_customer(scope: Scope, params: Obj, customer_id: str) -> Obj:
    scope.get("customer", customer_id)
    rows = [row for row in scope.all("payment_method") if row["customer"] == customer_id]
    url = f"/v1/customers/{customer_id}/payment_methods"
    return page(rows, params, url, filters=("type",))


@route("GET", "/v1/customers/{customer}/payment_methods/{id}", CustomerRetrievePaymentMethodParams)
def retrieve_of_customer(scope: Scope, _params: Obj, customer_id: str, method_id: str) -> Obj:
    method = scope.get("payment_method", method_id)
    if method["customer"] != customer_id:
        refuse(f"No such PaymentMethod: '{method_id}'", code="resource_missing", param="id")
    return method
