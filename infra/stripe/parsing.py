"""Stripe's JSON, read into our types.

Strict in what we need: a field that is missing or of another type raises StepBlocked
`stripe_answer_unreadable` and names the field. Lenient in the rest: fields that we don't know
are left, and texts of a fixed set (statuses, types, reasons) may be new ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from infra.stripe.fields import Fields, Json
from infra.stripe.objects import (
    Account,
    AccountLink,
    Balance,
    BalanceTransaction,
    Charge,
    Customer,
    Decline,
    Dispute,
    Event,
    PaymentIntent,
    PaymentMethod,
    Payout,
    Refund,
    Reversal,
    SetupAttempt,
    SetupIntent,
    TaxCalculation,
    TaxTransaction,
    Transfer,
)

T = TypeVar("T")


def _inside(fields: Fields, name: str, parse: Callable[[Json], T]) -> T | None:
    found = fields.expanded(name)
    return None if found is None else parse(found.whole)


def customer(data: Json) -> Customer:
    fields = Fields(data, "customer")
    return Customer(id=fields.text("id"), metadata=fields.metadata())


def payment_method(data: Json) -> PaymentMethod:
    fields = Fields(data, "payment_method")
    common = (fields.text("id"), fields.text("type"), fields.id_or_none("customer"))
    card = fields.inside_or_none("card")
    if card is None:
        return PaymentMethod(*common)
    return PaymentMethod(
        *common,
        brand=card.text("brand"),
        last4=card.text("last4"),
        exp_month=card.number("exp_month"),
        exp_year=card.number("exp_year"),
        fingerprint=card.text_or_none("fingerprint"),
        country=card.text_or_none("country"),
    )


def _decline(fields: Fields | None) -> Decline | None:
    if fields is None:
        return None
    return Decline(
        code=fields.text_or_none("code") or fields.text("type"),
        decline_code=fields.text_or_none("decline_code"),
        message=fields.text_or_none("message") or "",
    )


def setup_intent(data: Json) -> SetupIntent:
    fields = Fields(data, "setup_intent")
    return SetupIntent(
        id=fields.text("id"),
        status=fields.text("status"),
        client_secret=fields.text_or_none("client_secret"),
        customer=fields.id_or_none("customer"),
        payment_method=fields.id_or_none("payment_method"),
        decline=_decline(fields.inside_or_none("last_setup_error")),
        metadata=fields.metadata(),
    )


def setup_attempt(data: Json) -> SetupAttempt:
    fields = Fields(data, "setup_attempt")
    return SetupAttempt(
        id=fields.text("id"),
        status=fields.text("status"),
        created_at=fields.moment("created"),
        decline=_decline(fields.inside_or_none("setup_error")),
    )


def balance_transaction(data: Json) -> BalanceTransaction:
    fields = Fields(data, "balance_transaction")
    return BalanceTransaction(
        id=fields.text("id"),
        type=fields.text("type"),
        source=fields.id_or_none("source"),
        amount_minor=fields.number("amount"),
        fee_minor=fields.number("fee"),
        net_minor=fields.number("net"),
        currency=fields.currency(),
        created_at=fields.moment("created"),
        available_on=fields.moment("available_on"),
        reporting_category=fields.text_or_none("reporting_category") or "",
    )


def charge(data: Json) -> Charge:
    fields = Fields(data, "charge")
    details = fields.inside_or_none("payment_method_details")
    card = details.inside_or_none("card") if details else None
    return Charge(
        id=fields.text("id"),
        status=fields.text("status"),
        amount_minor=fields.number("amount"),
        refunded_minor=fields.number("amount_refunded"),
        currency=fields.currency(),
        is_disputed=fields.flag("disputed"),
        created_at=fields.moment("created"),
        payment_intent=fields.id_or_none("payment_intent"),
        payment_method=fields.id_or_none("payment_method"),
        payment_method_fingerprint=card.text_or_none("fingerprint") if card else None,
        balance_transaction_id=fields.id_or_none("balance_transaction"),
        balance_transaction=_inside(fields, "balance_transaction", balance_transaction),
        metadata=fields.metadata(),
    )


def payment_intent(data: Json) -> PaymentIntent:
    fields = Fields(data, "payment_intent")
    action = fields.inside_or_none("next_action")
    redirect = action.inside_or_none("redirect_to_url") if action else None
    return PaymentIntent(
        id=fields.text("id"),
        status=fields.text("status"),
        amount_minor=fields.number("amount"),
        currency=fields.currency(),
        customer=fields.id_or_none("customer"),
        payment_method=fields.id_or_none("payment_method"),
        client_secret=fields.text_or_none("client_secret"),
        created_at=fields.moment("created"),
        decline=_decline(fields.inside_or_none("last_payment_error")),
        latest_charge_id=fields.id_or_none("latest_charge"),
        latest_charge=_inside(fields, "latest_charge", charge),
        next_action_url=redirect.text_or_none("url") if redirect else None,
        metadata=fields.metadata(),
    )


def refund(data: Json) -> Refund:
    fields = Fields(data, "refund")
    return Refund(
        id=fields.text("id"),
        # Stripe's own types allow none; it is so only for what its bank has not taken up yet.
        status=fields.text_or_none("status") or "pending",
        amount_minor=fields.number("amount"),
        currency=fields.currency(),
        charge=fields.id_or_none("charge"),
        payment_intent=fields.id_or_none("payment_intent"),
        created_at=fields.moment("created"),
        failure_reason=fields.text_or_none("failure_reason"),
        balance_transaction_id=fields.id_or_none("balance_transaction"),
        balance_transaction=_inside(fields, "balance_transaction", balance_transaction),
        failure_balance_transaction_id=fields.id_or_none("failure_balance_transaction"),
        failure_balance_transaction=_inside(
            fields, "failure_balance_transaction", balance_transaction
        ),
        metadata=fields.metadata(),
    )


def dispute(data: Json) -> Dispute:
    fields = Fields(data, "dispute")
    evidence = fields.inside("evidence_details")
    return Dispute(
        id=fields.text("id"),
        charge=fields.id_of("charge"),
        payment_intent=fields.id_or_none("payment_intent"),
        amount_minor=fields.number("amount"),
        currency=fields.currency(),
        status=fields.text("status"),
        reason=fields.text("reason"),
        created_at=fields.moment("created"),
        # 0 is Stripe's "can't be answered any more".
        evidence_due_by=evidence.moment("due_by") if evidence.whole.get("due_by") else None,
        has_evidence=evidence.flag("has_evidence"),
        submission_count=evidence.number("submission_count"),
        is_charge_refundable=fields.flag("is_charge_refundable"),
        balance_transactions=tuple(
            balance_transaction(Fields(each).whole) for each in fields.items("balance_transactions")
        ),
        metadata=fields.metadata(),
    )


def account(data: Json) -> Account:
    fields = Fields(data, "account")
    needs = fields.inside_or_none("requirements")
    capabilities = fields.inside_or_none("capabilities")
    due: list[str] = []
    if needs is not None:
        for name in ("past_due", "currently_due"):
            listed = needs.items(name) if needs.whole.get(name) else []
            due += [str(each) for each in listed if str(each) not in due]
    return Account(
        id=fields.text("id"),
        charges_enabled=fields.flag("charges_enabled"),
        payouts_enabled=fields.flag("payouts_enabled"),
        transfers_active=capabilities is not None
        and capabilities.text_or_none("transfers") == "active",
        details_submitted=fields.flag("details_submitted"),
        requirements_due=tuple(due),
        disabled_reason=needs.text_or_none("disabled_reason") if needs else None,
        country=fields.text_or_none("country"),
        default_currency=(fields.text_or_none("default_currency") or "").upper() or None,
        metadata=fields.metadata(),
    )


def account_link(data: Json) -> AccountLink:
    fields = Fields(data, "account_link")
    return AccountLink(url=fields.text("url"), expires_at=fields.moment("expires_at"))


def transfer(data: Json) -> Transfer:
    fields = Fields(data, "transfer")
    return Transfer(
        id=fields.text("id"),
        amount_minor=fields.number("amount"),
        reversed_minor=fields.number("amount_reversed"),
        currency=fields.currency(),
        destination=fields.id_or_none("destination"),
        transfer_group=fields.text_or_none("transfer_group"),
        created_at=fields.moment("created"),
        balance_transaction_id=fields.id_or_none("balance_transaction"),
        metadata=fields.metadata(),
    )


def reversal(data: Json) -> Reversal:
    fields = Fields(data, "transfer_reversal")
    return Reversal(
        id=fields.text("id"),
        transfer=fields.id_of("transfer"),
        amount_minor=fields.number("amount"),
        currency=fields.currency(),
        created_at=fields.moment("created"),
        balance_transaction_id=fields.id_or_none("balance_transaction"),
        metadata=fields.metadata(),
    )


def payout(data: Json) -> Payout:
    fields = Fields(data, "payout")
    return Payout(
        id=fields.text("id"),
        status=fields.text("status"),
        amount_minor=fields.number("amount"),
        currency=fields.currency(),
        created_at=fields.moment("created"),
        arrival_at=fields.moment("arrival_date"),
        failure_code=fields.text_or_none("failure_code"),
        failure_message=fields.text_or_none("failure_message"),
        balance_transaction_id=fields.id_or_none("balance_transaction"),
        failure_balance_transaction_id=fields.id_or_none("failure_balance_transaction"),
        is_automatic=fields.flag("automatic"),
        metadata=fields.metadata(),
    )


def balance(data: Json) -> Balance:
    fields = Fields(data, "balance")
    return Balance(
        available_minor=_by_currency(fields, "available"),
        pending_minor=_by_currency(fields, "pending"),
    )


def _by_currency(fields: Fields, name: str) -> dict[str, int]:
    summed: dict[str, int] = {}
    for each in fields.items(name):
        amount = Fields(each, f"balance.{name}")
        summed[amount.currency()] = summed.get(amount.currency(), 0) + amount.number("amount")
    return summed


def event(data: Json) -> Event:
    fields = Fields(data, "event")
    held = fields.inside("data")
    subject = held.inside("object")
    metadata = subject.metadata()
    changed = held.inside_or_none("previous_attributes")
    return Event(
        id=fields.text("id"),
        type=fields.text("type"),
        # `balance.available` is of an object without an id.
        object_id=subject.text_or_none("id") or "",
        object_type=subject.text("object"),
        account=fields.text_or_none("account"),
        created_at=fields.moment("created"),
        op_id=metadata.get("op_id"),
        op_kind=metadata.get("op_kind"),
        workflow_id=metadata.get("workflow_id"),
        payment_intent=subject.id_or_none("payment_intent"),
        charge=subject.id_or_none("charge"),
        changed_fields=tuple(sorted(changed.whole)) if changed else (),
    )


def tax_calculation(data: Json) -> TaxCalculation:
    fields = Fields(data, "tax.calculation")
    return TaxCalculation(
        id=fields.text_or_none("id"),
        amount_total_minor=fields.number("amount_total"),
        tax_minor=fields.number("tax_amount_exclusive") + fields.number("tax_amount_inclusive"),
        currency=fields.currency(),
        expires_at=fields.moment_or_none("expires_at"),
    )


def tax_transaction(data: Json) -> TaxTransaction:
    fields = Fields(data, "tax.transaction")
    return TaxTransaction(
        id=fields.text("id"),
        reference=fields.text("reference"),
        is_reversal=fields.text("type") == "reversal",
    )
