"""Customers."""

from __future__ import annotations

from stripe.params import (
    CustomerCreateParams,
    CustomerDeleteParams,
    CustomerListParams,
    CustomerRetrieveParams,
    CustomerUpdateParams,
)

from devstack.stripe.answers import page
from devstack.stripe.errors import Obj, missing
from devstack.stripe.events import emit
from devstack.stripe.payment_methods import attach
from devstack.stripe.routes import route
from devstack.stripe.world import Scope, merged_metadata, updated

_TEXTS = ("name", "email", "phone", "description", "address", "shipping", "preferred_locales")


def live_customer(scope: Scope, customer_id: str, *, param: str | None = "customer") -> Obj:
    """A customer that has not been deleted.

    Raises:
        Refused: `resource_missing`.
    """
    customer = scope.get("customer", customer_id, param=param)
    if customer.get("deleted"):
        raise missing("customer", customer_id, param=param or "id", status=400 if param else 404)
    return customer


@route("POST", "/v1/customers", CustomerCreateParams)
def create_customer(scope: Scope, params: Obj) -> Obj:
    customer_id = scope.new_id("cus")
    customer: Obj = {
        "id": customer_id,
        "object": "customer",
        **{name: params.get(name) or None for name in _TEXTS},
        "balance": params.get("balance", 0),
        "created": scope.now,
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "discount": None,
        "invoice_prefix": customer_id[4:12].upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": merged_metadata({}, params.get("metadata")),
        "next_invoice_sequence": 1,
        "preferred_locales": params.get("preferred_locales", []),
        "tax_exempt": params.get("tax_exempt") or "none",
        "test_clock": None,
    }
    if "payment_method" in params:
        method = attach(scope, params["payment_method"], customer_id, customer=customer)
        params.setdefault("invoice_settings", {}).setdefault("default_payment_method", method["id"])
    customer["invoice_settings"] = _settings(scope, customer, params)
    scope.save(customer)
    emit(scope, "customer.created", customer)
    return customer


@route("POST", "/v1/customers/{id}", CustomerUpdateParams)
def update_customer(scope: Scope, params: Obj, customer_id: str) -> Obj:
    customer = live_customer(scope, customer_id, param=None)
    changes = {name: params[name] or None for name in _TEXTS if name in params}
    for name in ("balance", "tax_exempt"):
        if name in params:
            changes[name] = params[name]
    if "metadata" in params:
        changes["metadata"] = merged_metadata(customer, params["metadata"])
    if "invoice_settings" in params:
        changes["invoice_settings"] = _settings(scope, customer, params)
    previous = updated(customer, changes)
    scope.save(customer)
    if previous:
        emit(scope, "customer.updated", customer, previous=previous)
    return customer


def _settings(scope: Scope, customer: Obj, params: Obj) -> Obj:
    """The customer's `invoice_settings` with the default payment method that is asked for.

    Raises:
        Refused: when it is not one of the customer's.
    """
    settings: Obj = customer["invoice_settings"]
    wanted = params.get("invoice_settings", {}).get("default_payment_method")
    if wanted is None:
        return settings
    method = scope.find("payment_method", wanted)
    if wanted and (method is None or method["customer"] != customer["id"]):
        param = "invoice_settings[default_payment_method]"
        raise missing("payment_method", wanted, param=param, status=400)
    return {**settings, "default_payment_method": wanted or None}


@route("GET", "/v1/customers/{id}", CustomerRetrieveParams)
def retrieve_customer(scope: Scope, _params: Obj, customer_id: str) -> Obj:
    customer = scope.get("customer", customer_id)
    if customer.get("deleted"):
        return {"id": customer_id, "object": "customer", "deleted": True}
    return customer


@route("DELETE", "/v1/customers/{id}", CustomerDeleteParams)
def delete_customer(scope: Scope, _params: Obj, customer_id: str) -> Obj:
    customer = live_customer(scope, customer_id, param=None)
    for method in scope.all("payment_method"):
        if method["customer"] == customer_id:
            method["customer"] = None
            method["_spent"] = True
            scope.save(method)
    customer["deleted"] = True
    scope.save(customer)
    emit(scope, "customer.deleted", {k: v for k, v in customer.items() if k != "deleted"})
    return {"id": customer_id, "object": "customer", "deleted": True}


@route("GET", "/v1/customers", CustomerListParams)
def list_customers(scope: Scope, params: Obj) -> Obj:
    rows = [row for row in scope.all("customer") if not row.get("deleted")]
    return page(rows, params, "/v1/customers", filters=("email",))
