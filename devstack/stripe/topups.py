"""Top-ups: money of the platform's own, put into its available balance."""

from __future__ import annotations

from stripe.params import TopupCreateParams, TopupListParams, TopupRetrieveParams

from devstack.stripe.answers import page
from devstack.stripe.balance import record
from devstack.stripe.errors import Obj, refuse
from devstack.stripe.events import emit
from devstack.stripe.routes import route
from devstack.stripe.world import Scope, merged_metadata


@route("POST", "/v1/topups", TopupCreateParams)
def create_topup(scope: Scope, params: Obj) -> Obj:
    """Test money arrives at once."""
    if params["amount"] < 1:
        refuse("Invalid positive integer", code="parameter_invalid_integer", param="amount")
    topup_id, currency = scope.new_id("tu"), params["currency"].lower()
    transaction = record(
        scope, kind="topup", amount=params["amount"], currency=currency, source=topup_id
    )
    topup = scope.save(
        {
            "id": topup_id,
            "object": "topup",
            "amount": params["amount"],
            "balance_transaction": transaction["id"],
            "created": scope.now,
            "currency": currency,
            "description": params.get("description"),
            "expected_availability_date": scope.now,
            "failure_code": None,
            "failure_message": None,
            "livemode": False,
            "metadata": merged_metadata({}, params.get("metadata")),
            "source": None,
            "statement_descriptor": params.get("statement_descriptor"),
            "status": "succeeded",
            "transfer_group": params.get("transfer_group"),
        }
    )
    emit(scope, "topup.created", topup)
    emit(scope, "topup.succeeded", topup)
    return topup


@route("GET", "/v1/topups/{id}", TopupRetrieveParams)
def retrieve_topup(scope: Scope, _params: Obj, topup_id: str) -> Obj:
    return scope.get("topup", topup_id)


@route("GET", "/v1/topups", TopupListParams)
def list_topups(scope: Scope, params: Obj) -> Obj:
    return page(scope.all("topup"), params, "/v1/topups", filters=("status",))
