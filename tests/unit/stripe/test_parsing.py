"""Stripe's JSON: strict in what we need, lenient in what is new."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from domain.charges.states import DeclineKind
from domain.errors import StepBlocked
from infra.stripe import parsing
from tests.integration.stripe import canned


def test_a_paid_intent_is_read_with_its_charge_and_what_was_booked() -> None:
    intent = parsing.payment_intent(canned.intent(latest_charge=canned.charge()))
    assert (intent.amount_minor, intent.currency) == (1000, "USD")
    assert intent.created_at == canned.NOW and intent.created_at.tzinfo is UTC
    charge = intent.latest_charge
    assert charge is not None and intent.latest_charge_id == charge.id
    assert charge.payment_method_fingerprint == "fp_1"
    booked = charge.balance_transaction
    assert booked is not None and charge.balance_transaction_id == booked.id
    assert (booked.amount_minor, booked.fee_minor, booked.net_minor) == (1000, 59, 941)
    assert booked.available_on == datetime(2026, 3, 3, 12, tzinfo=UTC)


def test_a_decline_is_read_with_its_kind() -> None:
    error = {
        "type": "card_error",
        "code": "card_declined",
        "decline_code": "stolen_card",
        "message": "Your card was declined.",
    }
    intent = parsing.payment_intent(
        canned.intent(status="requires_payment_method", last_payment_error=error)
    )
    assert intent.decline is not None
    assert (intent.decline.reason, intent.decline.kind) == ("stolen_card", DeclineKind.HARD)
    assert intent.decline.is_hard
    assert intent.latest_charge is None and intent.latest_charge_id == "ch_1"


def test_a_fan_who_has_to_confirm_is_told_where() -> None:
    action = {"type": "redirect_to_url", "redirect_to_url": {"url": "https://bank.example"}}
    intent = parsing.payment_intent(canned.intent(status="requires_action", next_action=action))
    assert intent.next_action_url == "https://bank.example"
    by_script = canned.intent(next_action={"type": "use_stripe_sdk", "use_stripe_sdk": {}})
    assert parsing.payment_intent(by_script).next_action_url is None


def test_what_an_account_lacks_is_listed_once() -> None:
    account = parsing.account(canned.account())
    assert account.requirements_due == ("external_account", "tos_acceptance.date")
    assert (account.disabled_reason, account.default_currency) == (
        "requirements.past_due",
        "EUR",
    )
    assert not account.transfers_active
    active = parsing.account(canned.account(capabilities={"transfers": "active"}))
    assert active.transfers_active


def test_an_inquiry_is_told_from_a_chargeback() -> None:
    inquiry = canned.dispute(status="warning_needs_response", balance_transactions=[])
    assert parsing.dispute(inquiry).is_inquiry
    chargeback = parsing.dispute(canned.dispute())
    assert not chargeback.is_inquiry
    assert [each.net_minor for each in chargeback.balance_transactions] == [-2500]


def test_evidence_that_can_not_be_sent_any_more_has_no_date() -> None:
    details = {"due_by": None, "has_evidence": True, "submission_count": 1}
    dispute = parsing.dispute(canned.dispute(evidence_details=details))
    assert (dispute.evidence_due_by, dispute.submission_count) == (None, 1)


def test_balances_are_summed_by_currency() -> None:
    twice = {"amount": 1, "currency": "usd"}
    balance = parsing.balance({"available": [twice, twice], "pending": [twice]})
    assert balance.available_minor == {"USD": 2}
    assert (balance.total_minor("USD"), balance.total_minor("EUR")) == (3, 0)


def test_a_payment_method_that_is_no_card_has_none_of_its_fields() -> None:
    method = parsing.payment_method(
        {"id": "pm_1", "type": "sepa_debit", "customer": None, "sepa_debit": {}}
    )
    assert (method.type, method.brand, method.customer) == ("sepa_debit", None, None)


@pytest.mark.parametrize("status", ["succeeded", "a_status_of_next_year"])
def test_new_fields_and_new_values_are_let_in(status: str) -> None:
    refund = parsing.refund(canned.refund(status=status, a_field_of_next_year={"x": 1}))
    assert refund.status == status


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"amount": "500"}, "refund.amount"),
        ({"amount": True}, "refund.amount"),
        ({"amount": 5.0}, "refund.amount"),
        ({"amount": None}, "refund.amount"),
        ({"id": None}, "refund.id"),
        ({"currency": 3}, "refund.currency"),
        ({"created": "today"}, "refund.created"),
        ({"charge": []}, "refund.charge"),
        ({"metadata": []}, "metadata"),
    ],
)
def test_what_we_need_and_is_not_there_is_named(changed: dict[str, Any], field: str) -> None:
    with pytest.raises(StepBlocked) as raised:
        parsing.refund(canned.refund(**changed))
    assert raised.value.code == "stripe_answer_unreadable"
    assert raised.value.facts["field"] == field


def test_what_came_instead_is_not_told() -> None:
    """It may be somebody's name."""
    with pytest.raises(StepBlocked) as raised:
        parsing.refund(canned.refund(amount="Ada Lovelace"))
    assert "Ada" not in str(raised.value) + str(raised.value.facts)
