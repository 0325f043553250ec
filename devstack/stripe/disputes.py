"""Disputes: chargebacks, which take the money at once, and inquiries, which do not.

See "Disputes" and "Testing: Disputes" in Stripe's documentation. `warning_*` is the state of an
inquiry; an issuer may escalate it to a chargeback.
"""

from __future__ import annotations

from stripe.params import (
    DisputeCloseParams,
    DisputeListParams,
    DisputeRetrieveParams,
    DisputeUpdateParams,
)

from devstack.stripe.answers import page
from devstack.stripe.balance import record
from devstack.stripe.errors import Obj, refuse
from devstack.stripe.events import emit
from devstack.stripe.routes import route
from devstack.stripe.world import DAY, Scope, job, merged_metadata, updated

_EVIDENCE = (
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
)
OPEN = frozenset({"needs_response", "under_review"})
OPEN_INQUIRY = frozenset({"warning_needs_response", "warning_under_review"})
_NETWORK_REASONS = {"fraudulent": "10.4", "product_not_received": "13.1"}
INQUIRY_DAYS = 120
"""An inquiry that is not escalated by then is closed ("warning_closed")."""


def disputes_of(scope: Scope, charge: Obj) -> list[Obj]:
    return [row for row in scope.all("dispute") if row["charge"] == charge["id"]]


def open_dispute(
    scope: Scope, charge: Obj, *, reason: str, inquiry: bool = False, amount: int | None = None
) -> Obj:
    """The buyer disputes `charge`: what is not refunded of it, unless `amount` says less.

    Raises:
        Refused: 400 when nothing is left to dispute, or it is disputed already.
    """
    left = charge["amount_captured"] - charge["amount_refunded"]
    amount = left if amount is None else amount
    if not 0 < amount <= left:
        refuse(f"{amount} of charge {charge['id']} can't be disputed: {left} is left of it.")
    if any(row["status"] in OPEN | OPEN_INQUIRY for row in disputes_of(scope, charge)):
        refuse(f"Charge {charge['id']} is disputed already.")
    dispute = scope.save(_dispute(scope, charge, reason=reason, inquiry=inquiry, amount=amount))
    charge["disputed"] = True
    scope.save(charge)
    emit(scope, "charge.dispute.created", dispute)
    if inquiry:
        scope.schedule("dispute.inquiry_ends", dispute["id"], after=INQUIRY_DAYS * DAY)
    else:
        withdraw(scope, dispute)
    scope.schedule("dispute.due", dispute["id"], after=scope.config.dispute_days * DAY)
    return dispute


def _dispute(scope: Scope, charge: Obj, *, reason: str, inquiry: bool, amount: int) -> Obj:
    brand = charge["payment_method_details"]["card"]["brand"]
    return {
        "id": scope.new_id("du"),
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": scope.now,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": dict.fromkeys(_EVIDENCE) | {"enhanced_evidence": {}},
        "evidence_details": {
            "due_by": scope.now + scope.config.dispute_days * DAY,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": None,
        },
        "is_charge_refundable": inquiry,
        "livemode": False,
        "metadata": {},
        "network_reason_code": _NETWORK_REASONS.get(reason),
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {
            "card": {
                "brand": brand,
                "case_type": "inquiry" if inquiry else "chargeback",
                "network_reason_code": _NETWORK_REASONS.get(reason),
            },
            "type": "card",
        },
        "reason": reason,
        "status": "warning_needs_response" if inquiry else "needs_response",
    }


def withdraw(scope: Scope, dispute: Obj) -> None:
    """The bank takes the disputed amount, and Stripe its fee."""
    _move(scope, dispute, -dispute["amount"], fee=scope.config.dispute_fee)
    emit(scope, "charge.dispute.funds_withdrawn", dispute)


def _move(scope: Scope, dispute: Obj, amount: int, *, fee: int) -> None:
    said = "Chargeback withdrawal" if amount < 0 else "Chargeback reversal"
    transaction = record(
        scope,
        kind="adjustment",
        amount=amount,
        currency=dispute["currency"],
        source=dispute["id"],
        fees=[(fee, "Dispute fee")] if fee else [],
        category="dispute" if amount < 0 else "dispute_reversal",
        description=f"{said} for {dispute['charge']}",
    )
    dispute["balance_transactions"].append(transaction)
    scope.save(dispute)


def escalate(scope: Scope, dispute_id: str) -> Obj:
    """The issuer makes a chargeback of an inquiry.

    Raises:
        Refused: 400 when it is no open inquiry, or all was refunded meanwhile.
    """
    dispute = scope.get("dispute", dispute_id)
    if dispute["status"] not in OPEN_INQUIRY:
        refuse(f"Dispute {dispute_id} is no open inquiry but {dispute['status']}.")
    charge = scope.get("charge", dispute["charge"])
    left = charge["amount_captured"] - charge["amount_refunded"]
    if left <= 0:
        refuse(f"Nothing is left of charge {charge['id']} to be disputed.")
    details = {
        **dispute["evidence_details"],
        "due_by": scope.now + scope.config.dispute_days * DAY,
        "past_due": False,
    }
    previous = updated(
        dispute,
        {
            "status": "needs_response",
            "is_charge_refundable": False,
            "evidence_details": details,
            "amount": min(dispute["amount"], left),
        },
    )
    dispute["payment_method_details"]["card"]["case_type"] = "chargeback"
    scope.save(dispute)
    emit(scope, "charge.dispute.updated", dispute, previous=previous)
    withdraw(scope, dispute)
    scope.schedule("dispute.due", dispute_id, after=scope.config.dispute_days * DAY)
    return dispute


def finish(scope: Scope, dispute_id: str, status: str) -> Obj:
    """The issuer decides: `won`, `lost`, or `warning_closed` of an inquiry.

    Money that comes back does so without the fee, which Stripe keeps.

    Raises:
        Refused: 400 when the dispute is decided already, or `status` is none of its ends.
    """
    dispute = scope.get("dispute", dispute_id)
    ends = {"warning_closed"} if dispute["status"] in OPEN_INQUIRY else {"won", "lost"}
    if dispute["status"] not in OPEN | OPEN_INQUIRY or status not in ends:
        refuse(f"Dispute {dispute_id} is {dispute['status']} and can't become {status}.")
    previous = updated(dispute, {"status": status, "is_charge_refundable": status != "lost"})
    scope.save(dispute)
    if status == "won":
        _move(scope, dispute, dispute["amount"], fee=0)
        emit(scope, "charge.dispute.funds_reinstated", dispute)
    emit(scope, "charge.dispute.closed", dispute, previous=previous)
    return dispute


@job("dispute.due")
def _evidence_due(scope: Scope, dispute_id: str) -> None:
    """A chargeback that nobody answered in time is lost; an inquiry only waits on."""
    dispute = scope.get("dispute", dispute_id)
    if scope.now < dispute["evidence_details"]["due_by"]:
        return
    if dispute["status"] == "needs_response":
        dispute["evidence_details"]["past_due"] = True
        finish(scope, dispute_id, "lost")


@job("dispute.inquiry_ends")
def _inquiry_ends(scope: Scope, dispute_id: str) -> None:
    if scope.get("dispute", dispute_id)["status"] in OPEN_INQUIRY:
        finish(scope, dispute_id, "warning_closed")


@route("POST", "/v1/disputes/{id}", DisputeUpdateParams)
def update_dispute(scope: Scope, params: Obj, dispute_id: str) -> Obj:
    """Stage evidence, or submit it, which is the default and can be done once.

    As in Stripe's test mode, the text `winning_evidence` or `losing_evidence` decides at once;
    other evidence waits under review.
    """
    dispute = scope.get("dispute", dispute_id)
    changes: Obj = {}
    if "metadata" in params:
        changes["metadata"] = merged_metadata(dispute, params["metadata"])
    submits = ("evidence" in params and params.get("submit", True)) or params.get("submit", False)
    if "evidence" in params or submits:
        if dispute["status"] not in {"needs_response", "warning_needs_response"}:
            refuse("This dispute is already closed or under review.", code="dispute_not_open")
        given = params.get("evidence") or {}
        evidence = {**dispute["evidence"], **{name: v or None for name, v in given.items()}}
        details = {**dispute["evidence_details"], "has_evidence": any(given.values())}
        changes |= {"evidence": evidence, "evidence_details": details}
        if submits:
            details["submission_count"] += 1
            details["submission_method"] = "manual"
            inquiry = dispute["status"].startswith("warning")
            changes["status"] = "warning_under_review" if inquiry else "under_review"
    previous = updated(dispute, changes)
    scope.save(dispute)
    emit(scope, "charge.dispute.updated", dispute, previous=previous)
    if submits:
        _judge_test_evidence(scope, dispute)
    return dispute


def _judge_test_evidence(scope: Scope, dispute: Obj) -> None:
    text = dispute["evidence"]["uncategorized_text"]
    inquiry = dispute["status"].startswith("warning")
    verdicts = {"winning_evidence": "won", "losing_evidence": "lost"}
    if text in verdicts:
        finish(scope, dispute["id"], "warning_closed" if inquiry else verdicts[text])


@route("POST", "/v1/disputes/{id}/close", DisputeCloseParams)
def close_dispute(scope: Scope, _params: Obj, dispute_id: str) -> Obj:
    """Accept the dispute: it is lost."""
    dispute = scope.get("dispute", dispute_id)
    if dispute["status"] != "needs_response":
        refuse("This dispute is already closed.", code="dispute_already_closed")
    return finish(scope, dispute_id, "lost")


@route("GET", "/v1/disputes/{id}", DisputeRetrieveParams)
def retrieve_dispute(scope: Scope, _params: Obj, dispute_id: str) -> Obj:
    return scope.get("dispute", dispute_id)


@route("GET", "/v1/disputes", DisputeListParams)
def list_disputes(scope: Scope, params: Obj) -> Obj:
    filters = ("charge", "payment_intent")
    return page(scope.all("dispute"), params, "/v1/disputes", filters=filters)
