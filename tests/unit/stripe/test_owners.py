from __future__ import annotations

import pytest

from domain.stripe_events import (
    POLLED,
    POLLED_OF_ACCOUNTS,
    EventFacts,
    Owner,
    OwnerKind,
    ParkedBecause,
    Told,
    is_news,
    owner_of,
)
from workflows.runner import WORKFLOWS
from workflows.stripe_events.start import SIGNAL

CHARGE = {"op_id": "c1", "op_kind": "charge", "workflow_id": "unlock:f:p"}
REFUND = {"op_id": "r1", "op_kind": "refund", "workflow_id": "refund:r1"}
PAYOUT = {"op_id": "p1", "op_kind": "payout"}
SETUP = {"op_id": "s1", "op_kind": "setup", "workflow_id": "card-setup:s1"}
OF_ACCOUNT = {"account": "acct_1"}
WAITS = Owner(OwnerKind.CHARGE, "unlock:f:p", "c1")
PAYS_OUT = Owner(OwnerKind.PAYOUT, "payout:p1", "p1")
CONNECTS = Owner(OwnerKind.CONNECT, "connect:u1", "u1")


@pytest.mark.parametrize(
    ("type_", "facts", "wanted"),
    [
        ("payment_intent.succeeded", CHARGE, WAITS),
        ("payment_intent.payment_failed", CHARGE, WAITS),
        ("payment_intent.created", CHARGE, None),
        ("payment_intent.succeeded", {}, ParkedBecause.MADE_ELSEWHERE),
        (
            "payment_intent.succeeded",
            {"op_id": "c1", "op_kind": "charge"},
            ParkedBecause.OWNER_UNKNOWN,
        ),
        ("payment_intent.succeeded", REFUND, ParkedBecause.OWNER_UNKNOWN),
        ("payment_intent.succeeded", {**CHARGE, "op_kind": "?"}, ParkedBecause.OWNER_UNKNOWN),
        ("setup_intent.succeeded", SETUP, Owner(OwnerKind.SETUP, "card-setup:s1", "s1")),
        # The charge of a PaymentIntent has its metadata, and tells the same once more.
        ("charge.succeeded", CHARGE, None),
        ("charge.refunded", CHARGE, None),
        ("refund.updated", REFUND, Owner(OwnerKind.REFUND, "refund:r1", "r1")),
        ("refund.created", {}, ParkedBecause.MADE_ELSEWHERE),
        ("charge.dispute.created", {}, Owner(OwnerKind.DISPUTE, "dispute:obj_1", "obj_1")),
        ("charge.dispute.closed", {}, Owner(OwnerKind.DISPUTE, "dispute:obj_1", "obj_1")),
        ("transfer.reversed", PAYOUT, PAYS_OUT),
        ("transfer.created", {}, ParkedBecause.MADE_ELSEWHERE),
        ("payout.failed", {**PAYOUT, **OF_ACCOUNT}, PAYS_OUT),
        ("payout.paid", OF_ACCOUNT, ParkedBecause.MADE_ELSEWHERE),
        ("payout.paid", {}, None),
        ("account.updated", {**OF_ACCOUNT, "creator_id": "u1"}, CONNECTS),
        ("account.external_account.deleted", {**OF_ACCOUNT, "creator_id": "u1"}, CONNECTS),
        ("account.updated", OF_ACCOUNT, ParkedBecause.MADE_ELSEWHERE),
        ("account.updated", {}, None),
        ("balance.available", {}, None),
        ("something.new", CHARGE, None),
    ],
)
def test_an_event_has_its_owner(type_: str, facts: dict[str, str], wanted: Told) -> None:
    assert owner_of(EventFacts("evt_1", type_, "obj_1", **facts)) == wanted


@pytest.mark.parametrize(
    ("type_", "state", "wanted"),
    [
        ("payment_intent.succeeded", "paid", False),
        ("payment_intent.succeeded", "declined", True),
        ("payment_intent.succeeded", "canceled", True),
        ("payment_intent.succeeded", None, True),
        ("payment_intent.payment_failed", "paid", False),
        ("payment_intent.canceled", "open", True),
        ("setup_intent.succeeded", "succeeded", False),
        ("setup_intent.succeeded", "expired", False),
        ("setup_intent.succeeded", "canceled", False),
        ("setup_intent.succeeded", "open", True),
        ("setup_intent.setup_failed", "expired", False),
        ("refund.failed", "succeeded", True),
        ("refund.failed", "failed", False),
        ("refund.updated", "succeeded", False),
        ("refund.updated", None, True),
        ("payout.failed", "settled", True),
        ("payout.failed", "returned", False),
        ("payout.paid", "settled", False),
    ],
)
def test_what_our_rows_do_not_know_is_news(type_: str, state: str | None, wanted: bool) -> None:
    assert is_news(type_, state) is wanted


def test_what_is_polled_fits_one_request_and_concerns_somebody() -> None:
    for types in (POLLED, POLLED_OF_ACCOUNTS):
        assert len(types) == len(set(types)) <= 20
    known = {**OF_ACCOUNT, "creator_id": "u1", "op_id": "x", "workflow_id": "w"}
    for type_ in (*POLLED, *POLLED_OF_ACCOUNTS):
        owners = [
            owner_of(EventFacts("evt_1", type_, "obj_1", op_kind=kind, **known))
            for kind in OwnerKind
        ]
        assert any(isinstance(owner, Owner) for owner in owners), type_


def test_every_run_that_waits_for_stripe_has_an_ear_for_it() -> None:
    listening = {each.__name__ for each in WORKFLOWS if hasattr(each, SIGNAL)}
    assert listening >= {"UnlockContent", "SendTip", "SetUpCard", "Payout", "Onboard"}
    assert listening >= {"Refund", "Dispute"}
