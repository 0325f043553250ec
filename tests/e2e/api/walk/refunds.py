"""Rows of refunds and disputes: of what somebody paid the owner."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2 as httpx

from domain.ids import derived_id
from domain.reconcile import Break
from infra.db import transaction
from infra.ids import new_id
from infra.models import Charge, Dispute, Reconciliation, Refund
from tests.e2e.api.walk.payouts import ADMIN, ME
from tests.e2e.api.walk.rows import ABSENT, SHOWN, Case, Outcome, Row, Stage, each

KEY = {"idempotency-key": "walk"}
STAFF_ONLY = each(403, anonymous=401, moderator=200, admin=200)


def charge(stage: Stage) -> str:
    """What the follower paid the owner. Staff and the owner have asked for a refund of it with
    the key of these rows, and it was refused: no run is waited for."""
    now = datetime.now(UTC)
    charge_id = new_id()
    paid = Charge(
        id=charge_id,
        kind="tip",
        subject_id=new_id(),
        step="charge",
        generation=1,
        fan_id=stage.people.follower.user.id,
        creator_id=stage.owner.id,
        amount_minor=1_000,
        currency="USD",
        payment_method_id="pm_1",
        off_session=False,
        workflow_id="tip:1",
        state="paid",
        payment_intent_id=f"pi_{charge_id}",
        stripe_charge_id=f"ch_{charge_id}",
        created_at=now,
        paid_at=now,
        closed_at=now,
    )
    askers = {"staff": stage.people.admin.user.id, "creator": stage.owner.id}
    with transaction(stage.engine) as session:
        session.add(paid)
        session.flush()
        for role, user_id in askers.items():
            session.add(
                Refund(
                    id=derived_id("refund", user_id, KEY["idempotency-key"]),
                    charge_id=charge_id,
                    amount_minor=1_000,
                    currency="USD",
                    reason="goodwill",
                    requested_as=role,
                    requested_by=user_id,
                    state="refused",
                    refused_code="charge_disputed",
                    created_at=now,
                    closed_at=now,
                )
            )
    return charge_id


def refund(stage: Stage) -> str:
    charge(stage)
    return derived_id("refund", stage.owner.id, KEY["idempotency-key"])


def dispute(stage: Stage) -> str:
    """Of which evidence was submitted, so that nothing is left to decide."""
    now, dispute_id = datetime.now(UTC), new_id()
    with transaction(stage.engine) as session:
        session.add(
            Dispute(
                id=dispute_id,
                stripe_dispute_id=f"dp_{dispute_id}",
                charge_id=charge(stage),
                amount_minor=1_000,
                currency="USD",
                state="under_review",
                is_inquiry=False,
                reason="fraudulent",
                opened_at=now,
                held_at=now,
            )
        )
    return dispute_id


def reconciliation(stage: Stage) -> str:
    """One that found a difference."""
    now, reconciliation_id = datetime.now(UTC), new_id()
    found = Break("amounts_differ", "ch_1", "", "USD", 970, 1_000)
    with transaction(stage.engine) as session:
        session.add(
            Reconciliation(
                id=reconciliation_id,
                window_start=now - timedelta(days=1),
                window_end=now,
                started_at=now,
                ended_at=now,
                sources_checked=7,
                breaks_found=1,
                breaks=[asdict(found)],
            )
        )
    return reconciliation_id


def listed(answer: httpx.Response, subject: str) -> Outcome:
    if answer.status_code != 200:
        return answer.status_code
    return SHOWN if subject in answer.text else ABSENT


def refund_sale(case: Case[str]) -> httpx.Response:
    return case.client.post(f"{ME}/sales/{case.subject}/refunds", json={}, headers=KEY)


def refund_charge(case: Case[str]) -> httpx.Response:
    path = f"{ADMIN}/charges/{case.subject}/refunds"
    return case.client.post(path, json={"reason": "goodwill"}, headers=KEY)


def decide(verb: str, case: Case[str]) -> httpx.Response:
    return case.client.post(f"{ADMIN}/disputes/{case.subject}/{verb}", json={})


ROWS: list[Row[Any]] = [
    Row(
        "listMyPaymentRefunds",
        lambda case: case.client.get(f"{ME}/payments/{case.subject}/refunds"),
        each(404, anonymous=401, follower=200, owner=200),
        charge,
    ),
    Row("refundMySale", refund_sale, each(404, anonymous=401, owner=201), charge),
    Row("refundCharge", refund_charge, each(403, anonymous=401, admin=201), charge),
    Row(
        "listChargeRefunds",
        lambda case: case.client.get(f"{ADMIN}/charges/{case.subject}/refunds"),
        STAFF_ONLY,
        charge,
    ),
    Row(
        "listRefunds",
        lambda case: case.client.get(f"{ADMIN}/refunds"),
        each(403, anonymous=401, moderator=SHOWN, admin=SHOWN),
        refund,
        outcome=listed,
    ),
    Row(
        "getRefund",
        lambda case: case.client.get(f"{ADMIN}/refunds/{case.subject}"),
        STAFF_ONLY,
        refund,
    ),
    Row(
        "listDisputes",
        lambda case: case.client.get(f"{ADMIN}/disputes"),
        each(403, anonymous=401, moderator=SHOWN, admin=SHOWN),
        dispute,
        outcome=listed,
    ),
    Row(
        "getDispute",
        lambda case: case.client.get(f"{ADMIN}/disputes/{case.subject}"),
        STAFF_ONLY,
        dispute,
    ),
    Row(
        "submitDisputeEvidence",
        lambda case: decide("submit", case),
        each(403, anonymous=401, admin=409),
        dispute,
    ),
    Row(
        "acceptDispute",
        lambda case: decide("accept", case),
        each(403, anonymous=401, admin=409),
        dispute,
    ),
    Row(
        "listReconciliations",
        lambda case: case.client.get(f"{ADMIN}/reconciliations"),
        each(403, anonymous=401, moderator=SHOWN, admin=SHOWN),
        reconciliation,
        outcome=listed,
    ),
    Row(
        "getReconciliation",
        lambda case: case.client.get(f"{ADMIN}/reconciliations/{case.subject}"),
        STAFF_ONLY,
        reconciliation,
    ),
]
