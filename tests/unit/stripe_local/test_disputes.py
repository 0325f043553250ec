"""Disputes: chargebacks and inquiries, their money and their ends."""

from __future__ import annotations

import pytest
import stripe

from devstack.stripe import LocalStripe
from devstack.stripe.disputes import escalate, finish, open_dispute
from devstack.stripe.errors import Refused
from tests.unit.stripe_local.paying import balance, charge_of, event_types, pay

DAY = 86_400
PAID = 1000 - 59
FEE = 1500


def _disputed(client: stripe.StripeClient, method: str) -> stripe.Dispute:
    intent = pay(client, method)
    (dispute,) = client.v1.disputes.list({"payment_intent": intent.id}).data
    return dispute


def _balance(client: stripe.StripeClient) -> int:
    return sum(balance(client))


def test_a_chargeback_takes_the_money_and_a_fee_at_once(client: stripe.StripeClient) -> None:
    dispute = _disputed(client, "pm_card_createDispute")
    assert (dispute.status, dispute.amount, dispute.reason) == (
        "needs_response",
        1000,
        "fraudulent",
    )
    assert [row.net for row in dispute.balance_transactions] == [-1000 - FEE]
    assert _balance(client) == PAID - 1000 - FEE
    assert isinstance(dispute.charge, str)
    assert client.v1.charges.retrieve(dispute.charge).disputed
    assert event_types(client)[-3:] == [
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
        "payment_intent.succeeded",
    ]


def test_a_disputed_charge_cannot_be_refunded(client: stripe.StripeClient) -> None:
    dispute = _disputed(client, "pm_card_createDispute")
    with pytest.raises(stripe.InvalidRequestError) as raised:
        client.v1.refunds.create({"charge": str(dispute.charge)})
    assert raised.value.code == "charge_disputed"


@pytest.mark.parametrize(
    ("evidence", "status", "left"),
    [
        ("winning_evidence", "won", PAID - FEE),
        ("losing_evidence", "lost", PAID - 1000 - FEE),
        ("We delivered it.", "under_review", PAID - 1000 - FEE),
    ],
)
def test_evidence_decides(
    client: stripe.StripeClient, evidence: str, status: str, left: int
) -> None:
    dispute = _disputed(client, "pm_card_createDispute")
    staged = client.v1.disputes.update(
        dispute.id, {"evidence": {"uncategorized_text": evidence}, "submit": False}
    )
    assert (staged.status, staged.evidence_details.has_evidence) == ("needs_response", True)
    decided = client.v1.disputes.update(dispute.id, {"submit": True})
    assert (decided.status, _balance(client)) == (status, left)
    if status == "won":
        assert [row.net for row in decided.balance_transactions] == [-1000 - FEE, 1000]
        assert event_types(client)[-2:] == [
            "charge.dispute.funds_reinstated",
            "charge.dispute.closed",
        ]


def test_evidence_is_submitted_once(client: stripe.StripeClient) -> None:
    dispute = _disputed(client, "pm_card_createDispute")
    client.v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": "It was."}})
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": "Again."}})


def test_an_unanswered_chargeback_is_lost(local: LocalStripe, client: stripe.StripeClient) -> None:
    dispute = _disputed(client, "pm_card_createDispute")
    due_by = dispute.evidence_details.due_by
    assert due_by is not None
    local.move_to(due_by - 1)
    assert client.v1.disputes.retrieve(dispute.id).status == "needs_response"
    local.advance(1)
    lost = client.v1.disputes.retrieve(dispute.id)
    assert (lost.status, lost.evidence_details.past_due) == ("lost", True)


def test_a_dispute_may_be_accepted(client: stripe.StripeClient) -> None:
    dispute = _disputed(client, "pm_card_createDispute")
    assert client.v1.disputes.close(dispute.id).status == "lost"
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.disputes.close(dispute.id)


def test_an_inquiry_moves_no_money_and_may_be_refunded(
    local: LocalStripe, client: stripe.StripeClient
) -> None:
    dispute = _disputed(client, "pm_card_createDisputeInquiry")
    assert (dispute.status, dispute.is_charge_refundable) == ("warning_needs_response", True)
    assert (dispute.balance_transactions, _balance(client)) == ([], PAID)
    client.v1.refunds.create({"charge": str(dispute.charge)})
    with pytest.raises(Refused):
        escalate(local.scope(), dispute.id)
    local.advance(120 * DAY)
    assert client.v1.disputes.retrieve(dispute.id).status == "warning_closed"


def test_an_inquiry_may_become_a_chargeback(
    local: LocalStripe, client: stripe.StripeClient
) -> None:
    dispute = _disputed(client, "pm_card_createDisputeInquiry")
    local.advance(5 * DAY)
    escalate(local.scope(), dispute.id)
    grown = client.v1.disputes.retrieve(dispute.id)
    assert (grown.status, grown.is_charge_refundable) == ("needs_response", False)
    assert _balance(client) == PAID - 1000 - FEE
    local.advance(9 * DAY)
    assert client.v1.disputes.retrieve(dispute.id).status == "lost"


def test_a_dispute_is_of_what_was_not_refunded(
    local: LocalStripe, client: stripe.StripeClient
) -> None:
    charge_id = charge_of(pay(client)).id
    client.v1.refunds.create({"charge": charge_id, "amount": 400})
    scope = local.scope()
    dispute = open_dispute(scope, scope.get("charge", charge_id), reason="general")
    assert dispute["amount"] == 600
    with pytest.raises(Refused, match="disputed already"):
        open_dispute(scope, scope.get("charge", charge_id), reason="general")
    finish(scope, dispute["id"], "won")
    with pytest.raises(Refused):
        finish(scope, dispute["id"], "lost")
    assert _balance(client) == PAID - 400 - FEE
