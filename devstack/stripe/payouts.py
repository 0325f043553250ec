"""Payouts to bank accounts: pending, in transit, paid; failed, canceled or reversed.

As with Stripe, one that fails may have been `paid` before.
"""

from __future__ import annotations

from datetime import UTC, datetime

from stripe.params import (
    PayoutCancelParams,
    PayoutCreateParams,
    PayoutListParams,
    PayoutRetrieveParams,
    PayoutReverseParams,
    PayoutUpdateParams,
)

from devstack.stripe.accounts import changed
from devstack.stripe.answers import page
from devstack.stripe.balance import record, require_available, sums
from devstack.stripe.banks import MESSAGES, add_bank, bank_for, banks_of, failure_of
from devstack.stripe.errors import Obj, Refused, refuse
from devstack.stripe.events import emit
from devstack.stripe.routes import route
from devstack.stripe.world import DAY, Scope, job, merged_metadata, updated


@route("POST", "/v1/payouts", PayoutCreateParams)
def create_payout(scope: Scope, params: Obj) -> Obj:
    currency = params["currency"].lower()
    if params["amount"] < 1:
        refuse("Invalid positive integer", code="parameter_invalid_integer", param="amount")
    if params.get("method") == "instant":
        refuse("This Stripe has no instant payouts.", code="instant_payouts_unsupported")
    _require_enabled(scope)
    bank = bank_for(scope, currency, params.get("destination"))
    if bank["status"] == "errored":
        refuse(
            "Payouts to this external account have failed; it must be updated first.",
            code="payouts_not_allowed",
        )
    require_available(
        scope,
        params["amount"],
        currency,
        "You have insufficient funds in your Stripe account for this transfer.",
    )
    return _made(scope, params, bank, automatic=False)


def _require_enabled(scope: Scope) -> None:
    if not scope.account:
        if not banks_of(scope):
            add_bank(scope, "btok_us_verified")
        return
    if not scope.platform.get("account", scope.account)["payouts_enabled"]:
        refuse(
            "Cannot create payouts: this account has requirements that need to be collected.",
            code="payouts_not_allowed",
        )


def _made(scope: Scope, params: Obj, bank: Obj, *, automatic: bool) -> Obj:
    payout_id = scope.new_id("po")
    amount, currency = params["amount"], params["currency"].lower()
    transaction = record(
        scope,
        kind="payout",
        amount=-amount,
        currency=currency,
        source=payout_id,
        description="STRIPE PAYOUT",
    )
    payout = scope.save(
        {
            "id": payout_id,
            "object": "payout",
            "amount": amount,
            "application_fee": None,
            "application_fee_amount": None,
            "arrival_date": _midnight(scope.now + scope.config.payout_paid_seconds),
            "automatic": automatic,
            "balance_transaction": transaction["id"],
            "created": scope.now,
            "currency": currency,
            "description": params.get("description"),
            "destination": bank["id"],
            "failure_balance_transaction": None,
            "failure_code": None,
            "failure_message": None,
            "livemode": False,
            "metadata": merged_metadata({}, params.get("metadata")),
            "method": "standard",
            "original_payout": None,
            "payout_method": None,
            "reconciliation_status": "completed" if automatic else "not_applicable",
            "reversed_by": None,
            "source_type": params.get("source_type", "card"),
            "statement_descriptor": params.get("statement_descriptor"),
            "status": "pending",
            "trace_id": None,
            "type": "bank_account",
        }
    )
    emit(scope, "payout.created", payout)
    scope.schedule("payout.submit", payout_id, after=scope.config.payout_submit_seconds)
    scope.schedule("payout.arrive", payout_id, after=scope.config.payout_paid_seconds)
    return payout


def _midnight(at: int) -> int:
    return at - at % DAY


@job("payout.submit")
def _submit(scope: Scope, payout_id: str) -> None:
    payout = scope.get("payout", payout_id)
    if payout["status"] == "pending":
        previous = updated(payout, {"status": "in_transit"})
        scope.save(payout)
        emit(scope, "payout.updated", payout, previous=previous)


@job("payout.arrive")
def _arrive(scope: Scope, payout_id: str) -> None:
    payout = scope.get("payout", payout_id)
    if payout["status"] not in {"pending", "in_transit"}:
        return
    bank = scope.find("bank_account", payout["destination"])
    code = None if bank is None else failure_of(bank)
    if code is not None and not scope.config.payout_fails_late:
        fail_payout(scope, payout_id, code=code)
        return
    trace = {"status": "supported", "value": f"TRACE{payout_id[-8:]}"}
    updated(payout, {"status": "paid", "trace_id": trace})
    scope.save(payout)
    emit(scope, "payout.paid", payout)
    if code is not None:
        scope.schedule("payout.bounce", payout_id, after=DAY)


@job("payout.bounce")
def _bounce(scope: Scope, payout_id: str) -> None:
    payout = scope.get("payout", payout_id)
    bank = scope.find("bank_account", payout["destination"])
    if payout["status"] == "paid":
        fail_payout(scope, payout_id, code=(bank and failure_of(bank)) or "could_not_process")


def fail_payout(scope: Scope, payout_id: str, *, code: str = "account_closed") -> Obj:
    """The bank sends a payout back: the money returns to the balance it came from, and the bank
    account gets no more until it is replaced.

    Raises:
        Refused: 400 when the payout has ended otherwise.
    """
    payout = scope.get("payout", payout_id)
    if payout["status"] not in {"pending", "in_transit", "paid"}:
        refuse(f"Payout {payout_id} is {payout['status']} and can't fail.")
    transaction = _returned(scope, payout, "payout_failure")
    changes = {
        "failure_balance_transaction": transaction["id"],
        "failure_code": code,
        "failure_message": MESSAGES.get(code, MESSAGES["could_not_process"]),
        "status": "failed",
    }
    previous = updated(payout, changes)
    scope.save(payout)
    emit(scope, "payout.failed", payout, previous=previous)
    bank = scope.find("bank_account", payout["destination"])
    if bank is not None and scope.account:
        bank["status"] = "errored"
        scope.save(bank)
        emit(scope, "account.external_account.updated", bank)
        changed(scope, scope.platform.get("account", scope.account))
    return payout


def _returned(scope: Scope, payout: Obj, kind: str) -> Obj:
    return record(
        scope,
        kind=kind,
        amount=payout["amount"],
        currency=payout["currency"],
        source=payout["id"],
        description=kind.upper().replace("_", " "),
    )


@route("POST", "/v1/payouts/{id}/cancel", PayoutCancelParams)
def cancel_payout(scope: Scope, _params: Obj, payout_id: str) -> Obj:
    payout = scope.get("payout", payout_id)
    if payout["status"] != "pending":
        refuse(
            f"Payouts can only be canceled while they are pending; this one is {payout['status']}."
        )
    transaction = _returned(scope, payout, "payout_cancel")
    updated(payout, {"status": "canceled", "failure_balance_transaction": transaction["id"]})
    scope.save(payout)
    emit(scope, "payout.canceled", payout)
    return payout


@route("POST", "/v1/payouts/{id}/reverse", PayoutReverseParams)
def reverse_payout(scope: Scope, params: Obj, payout_id: str) -> Obj:
    """Bring back a payout that was paid: a payout of the negative amount."""
    payout = scope.get("payout", payout_id)
    if payout["status"] != "paid" or payout["reversed_by"] is not None:
        refuse(f"Payout {payout_id} can't be reversed: it is {payout['status']}.")
    back_id = scope.new_id("po")
    transaction = record(
        scope,
        kind="payout",
        amount=payout["amount"],
        currency=payout["currency"],
        source=back_id,
        category="payout_reversal",
    )
    back = scope.save(
        {
            **payout,
            "id": back_id,
            "amount": -payout["amount"],
            "balance_transaction": transaction["id"],
            "created": scope.now,
            "metadata": merged_metadata({}, params.get("metadata")),
            "original_payout": payout_id,
            "status": "paid",
        }
    )
    payout["reversed_by"] = back_id
    scope.save(payout)
    emit(scope, "payout.created", back)
    return back


@job("account.daily")
def _pay_out_automatically(scope: Scope, account_id: str) -> None:
    """What is available goes out by itself, unless the schedule's interval is manual."""
    account = scope.platform.get("account", account_id)
    if account.get("deleted"):
        return
    interval = account["settings"]["payouts"]["schedule"]["interval"]
    today = datetime.fromtimestamp(scope.now, UTC)
    is_day = {"daily": True, "weekly": today.weekday() == 0, "monthly": today.day == 1}
    if is_day.get(interval, False) and account["payouts_enabled"]:
        for currency, amount in sums(scope)[0].items():
            if amount > 0:
                _pay_out(scope, amount, currency)
    scope.schedule("account.daily", account_id, after=DAY)


def _pay_out(scope: Scope, amount: int, currency: str) -> None:
    try:
        bank = bank_for(scope, currency, None)
    except Refused:
        # Money of a currency without a bank account waits for one.
        return
    _made(scope, {"amount": amount, "currency": currency}, bank, automatic=True)


@route("POST", "/v1/payouts/{id}", PayoutUpdateParams)
def update_payout(scope: Scope, params: Obj, payout_id: str) -> Obj:
    payout = scope.get("payout", payout_id)
    previous = updated(payout, {"metadata": merged_metadata(payout, params.get("metadata"))})
    scope.save(payout)
    emit(scope, "payout.updated", payout, previous=previous)
    return payout


@route("GET", "/v1/payouts/{id}", PayoutRetrieveParams)
def retrieve_payout(scope: Scope, _params: Obj, payout_id: str) -> Obj:
    return scope.get("payout", payout_id)


@route("GET", "/v1/payouts", PayoutListParams)
def list_payouts(scope: Scope, params: Obj) -> Obj:
    filters = ("status", "destination")
    return page(scope.all("payout"), params, "/v1/payouts", filters=filters)
