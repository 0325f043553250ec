"""Transfers to connected accounts, and their reversals."""

from __future__ import annotations

from stripe.params import (
    TransferCreateParams,
    TransferCreateReversalParams,
    TransferListParams,
    TransferRetrieveParams,
    TransferReversalListParams,
    TransferReversalRetrieveParams,
    TransferUpdateParams,
)

from devstack.stripe.accounts import can_receive, live_account
from devstack.stripe.answers import listed, page
from devstack.stripe.balance import record, require_available
from devstack.stripe.charges import ensure_settled
from devstack.stripe.errors import Obj, refuse
from devstack.stripe.events import emit
from devstack.stripe.routes import route
from devstack.stripe.world import Scope, merged_metadata, updated


@route("POST", "/v1/transfers", TransferCreateParams)
def create_transfer(scope: Scope, params: Obj) -> Obj:
    currency = params["currency"].lower()
    if "amount" not in params:
        refuse("Missing required param: amount.", code="parameter_missing", param="amount")
    amount = params["amount"]
    if amount < 1:
        refuse("Invalid positive integer", code="parameter_invalid_integer", param="amount")
    account = live_account(scope, params["destination"], param="destination")
    if not can_receive(account):
        refuse(
            "Your destination account needs to have at least one of the following capabilities"
            " enabled: transfers, crypto_transfers, legacy_payments",
            code="insufficient_capabilities_for_transfer",
        )
    available_on, group = scope.now, params.get("transfer_group")
    if "source_transaction" in params:
        charge = _source(scope, params["source_transaction"], amount, currency)
        paid = scope.get("balance_transaction", charge["balance_transaction"])
        available_on = max(scope.now, paid["available_on"])
        group = group or charge["transfer_group"] or f"group_{charge['payment_intent']}"
    else:
        require_available(
            scope,
            amount,
            currency,
            "You have insufficient available funds in your Stripe account. Try adding funds"
            " directly to your available balance by creating Charges using the 4000000000000077"
            " test card.",
        )
    return _moved(scope, params, amount, currency, available_on=available_on, group=group)


def _source(scope: Scope, charge_id: str, amount: int, currency: str) -> Obj:
    """The charge that a transfer is tied to.

    Raises:
        Refused: 400 when its currency differs or it has less left.
    """
    charge = scope.get("charge", charge_id, param="source_transaction")
    if not charge["captured"] or charge["currency"] != currency:
        refuse("The source transaction is not captured, or of another currency.", param="currency")
    ensure_settled(scope, charge)
    used = sum(
        row["amount"] - row["amount_reversed"]
        for row in scope.all("transfer")
        if row["source_transaction"] == charge_id
    )
    if used + amount > charge["amount_captured"]:
        refuse(
            f"Transfers using this transaction as a source must not exceed the source amount of"
            f" {charge['amount_captured']}. ({used} already transferred)",
            code="balance_insufficient",
            param="amount",
        )
    return charge


def _moved(
    scope: Scope, params: Obj, amount: int, currency: str, *, available_on: int, group: str | None
) -> Obj:
    transfer_id = scope.new_id("tr")
    own = scope.world.scope(params["destination"])
    payment = _payment(own, transfer_id, amount, currency, available_on)
    transaction = record(
        scope,
        kind="transfer",
        amount=-amount,
        currency=currency,
        source=transfer_id,
        available_on=available_on,
        description=params.get("description"),
    )
    transfer = scope.save(
        {
            "id": transfer_id,
            "object": "transfer",
            "amount": amount,
            "amount_reversed": 0,
            "balance_transaction": transaction["id"],
            "created": scope.now,
            "currency": currency,
            "description": params.get("description"),
            "destination": params["destination"],
            "destination_payment": payment["id"],
            "livemode": False,
            "metadata": merged_metadata({}, params.get("metadata")),
            "reversals": listed([], f"/v1/transfers/{transfer_id}/reversals"),
            "reversed": False,
            "source_transaction": params.get("source_transaction"),
            "source_type": params.get("source_type", "card"),
            "transfer_group": group,
        }
    )
    emit(scope, "transfer.created", transfer)
    return transfer


def _payment(own: Scope, transfer_id: str, amount: int, currency: str, available_on: int) -> Obj:
    """What the connected account sees of a transfer: a payment `py_…`."""
    payment_id = own.new_id("py")
    transaction = record(
        own,
        kind="payment",
        amount=amount,
        currency=currency,
        source=payment_id,
        available_on=available_on,
    )
    return own.save(
        {
            "id": payment_id,
            "object": "charge",
            "amount": amount,
            "amount_captured": amount,
            "amount_refunded": 0,
            "balance_transaction": transaction["id"],
            "captured": True,
            "created": own.now,
            "currency": currency,
            "customer": None,
            "disputed": False,
            "livemode": False,
            "metadata": {},
            "paid": True,
            "payment_intent": None,
            "refunded": False,
            "source_transfer": transfer_id,
            "status": "succeeded",
            "transfer_group": None,
        }
    )


@route("POST", "/v1/transfers/{id}/reversals", TransferCreateReversalParams)
def create_reversal(scope: Scope, params: Obj, transfer_id: str) -> Obj:
    """Take a transfer back, all of it or a part, from the account's available balance."""
    transfer = scope.get("transfer", transfer_id)
    left = transfer["amount"] - transfer["amount_reversed"]
    amount = params.get("amount", left)
    if left == 0:
        refuse(f"Transfer {transfer_id} is already fully reversed.")
    if not 0 < amount <= left:
        refuse(
            f"Reversal amount ({amount}) is greater than unreversed amount on transfer ({left})",
            param="amount",
        )
    own = scope.world.scope(transfer["destination"])
    payment = own.get("charge", transfer["destination_payment"])
    paid = own.get("balance_transaction", payment["balance_transaction"])
    if paid["available_on"] <= scope.now:
        require_available(
            own,
            amount,
            transfer["currency"],
            "The connected account has insufficient available funds to reverse this transfer.",
        )
    available_on = max(scope.now, paid["available_on"])
    refund_id = _take_back(own, payment, amount, available_on)
    return _reversed(scope, transfer, amount, params, refund_id, available_on)


def _take_back(own: Scope, payment: Obj, amount: int, available_on: int) -> str:
    refund_id = own.new_id("pyr")
    transaction = record(
        own,
        kind="payment_refund",
        amount=-amount,
        currency=payment["currency"],
        source=refund_id,
        available_on=available_on,
    )
    own.save(
        {
            "id": refund_id,
            "object": "refund",
            "amount": amount,
            "balance_transaction": transaction["id"],
            "charge": payment["id"],
            "created": own.now,
            "currency": payment["currency"],
            "metadata": {},
            "payment_intent": None,
            "reason": None,
            "status": "succeeded",
        }
    )
    payment["amount_refunded"] += amount
    payment["refunded"] = payment["amount_refunded"] == payment["amount"]
    own.save(payment)
    return refund_id


def _reversed(
    scope: Scope, transfer: Obj, amount: int, params: Obj, refund_id: str, available_on: int
) -> Obj:
    reversal_id = scope.new_id("trr")
    transaction = record(
        scope,
        kind="transfer_refund",
        amount=amount,
        currency=transfer["currency"],
        source=reversal_id,
        available_on=available_on,
        description=params.get("description"),
    )
    reversal = scope.save(
        {
            "id": reversal_id,
            "object": "transfer_reversal",
            "amount": amount,
            "balance_transaction": transaction["id"],
            "created": scope.now,
            "currency": transfer["currency"],
            "destination_payment_refund": refund_id,
            "metadata": merged_metadata({}, params.get("metadata")),
            "source_refund": None,
            "transfer": transfer["id"],
        }
    )
    total = transfer["amount_reversed"] + amount
    previous = updated(
        transfer, {"amount_reversed": total, "reversed": total == transfer["amount"]}
    )
    rows = _reversals_of(scope, transfer["id"])
    url = f"/v1/transfers/{transfer['id']}/reversals"
    transfer["reversals"] = listed(list(reversed(rows))[:10], url, len(rows) > 10)
    scope.save(transfer)
    emit(scope, "transfer.reversed", transfer, previous=previous)
    return reversal


def _reversals_of(scope: Scope, transfer_id: str) -> list[Obj]:
    return [row for row in scope.all("transfer_reversal") if row["transfer"] == transfer_id]


@route("POST", "/v1/transfers/{id}", TransferUpdateParams)
def update_transfer(scope: Scope, params: Obj, transfer_id: str) -> Obj:
    transfer = scope.get("transfer", transfer_id)
    changes: Obj = {"metadata": merged_metadata(transfer, params.get("metadata"))}
    if "description" in params:
        changes["description"] = params["description"] or None
    previous = updated(transfer, changes)
    scope.save(transfer)
    emit(scope, "transfer.updated", transfer, previous=previous)
    return transfer


@route("GET", "/v1/transfers/{id}", TransferRetrieveParams)
def retrieve_transfer(scope: Scope, _params: Obj, transfer_id: str) -> Obj:
    return scope.get("transfer", transfer_id)


@route("GET", "/v1/transfers", TransferListParams)
def list_transfers(scope: Scope, params: Obj) -> Obj:
    filters = ("destination", "transfer_group")
    return page(scope.all("transfer"), params, "/v1/transfers", filters=filters)


@route("GET", "/v1/transfers/{id}/reversals", TransferReversalListParams)
def list_reversals(scope: Scope, params: Obj, transfer_id: str) -> Obj:
    scope.get("transfer", transfer_id)
    url = f"/v1/transfers/{transfer_id}/reversals"
    return page(_reversals_of(scope, transfer_id), params, url)


@route("GET", "/v1/transfers/{transfer}/reversals/{id}", TransferReversalRetrieveParams)
def retrieve_reversal(scope: Scope, _params: Obj, _transfer_id: str, reversal_id: str) -> Obj:
    return scope.get("transfer_reversal", reversal_id)
