"""Rows of payouts: a creator's own, and those that staff look after."""

from __future__ import annotations

from typing import Any

import httpx2 as httpx

from tests.e2e.api.walk.rows import ABSENT, SHOWN, Case, Outcome, Row, Stage, each
from tests.harness.earnings import Earner

ME = "/api/v1/me"
ADMIN = "/api/v1/admin"
SIGNED_IN = each(200, anonymous=401)
STAFF_ONLY = each(403, anonymous=401, moderator=200, admin=200)
ADMIN_ONLY = each(403, anonymous=401, admin=200)
TERMS = {"fee_bps": 1500, "hold_days": 14, "payouts_blocked_reason": None, "reason": "Case 7"}


def earner(stage: Stage) -> Earner:
    """The owner, with something to be paid out."""
    made = Earner(stage.engine, stage.owner)
    made.connect()
    made.earn(4_000)
    return made


def in_review(stage: Stage) -> str:
    """A payout of the owner's that waits for staff."""
    return earner(stage).in_review()


def listed(answer: httpx.Response, payout_id: str) -> Outcome:
    if answer.status_code != 200:
        return answer.status_code
    return SHOWN if payout_id in answer.text else ABSENT


def request_payout(case: Case[Earner]) -> httpx.Response:
    return case.client.post(f"{ME}/payouts", json={}, headers={"idempotency-key": "walk"})


def owner_id(stage: Stage) -> str:
    return stage.owner.id


ROWS: list[Row[Any]] = [
    Row("getMyBalance", lambda case: case.client.get(f"{ME}/balance"), SIGNED_IN),
    Row(
        "listMyPayouts",
        lambda case: case.client.get(f"{ME}/payouts"),
        each(ABSENT, anonymous=401, owner=SHOWN),
        in_review,
        outcome=listed,
    ),
    Row(
        "getMyPayout",
        lambda case: case.client.get(f"{ME}/payouts/{case.subject}"),
        each(404, anonymous=401, owner=200),
        in_review,
    ),
    Row(
        "requestPayout",
        request_payout,
        # The other creator has no account to be paid out to.
        each(403, anonymous=401, other_creator=409, owner=202),
        earner,
    ),
    Row(
        "getPayoutAccount",
        lambda case: case.client.get(f"{ME}/payout-account"),
        each(404, anonymous=401, owner=200),
        earner,
    ),
    Row(
        "openPayoutAccount",
        lambda case: case.client.post(f"{ME}/payout-account", json={"country": "US"}),
        each(403, anonymous=401, other_creator=200, owner=200),
    ),
    Row(
        "listPayouts",
        lambda case: case.client.get(f"{ADMIN}/payouts"),
        each(403, anonymous=401, moderator=SHOWN, admin=SHOWN),
        in_review,
        outcome=listed,
    ),
    Row(
        "approvePayout",
        lambda case: case.client.post(f"{ADMIN}/payouts/{case.subject}/approve", json={}),
        ADMIN_ONLY,
        in_review,
    ),
    Row(
        "rejectPayout",
        lambda case: case.client.post(
            f"{ADMIN}/payouts/{case.subject}/reject", json={"note": "No"}
        ),
        ADMIN_ONLY,
        in_review,
    ),
    Row(
        "getCreatorMoney",
        lambda case: case.client.get(f"{ADMIN}/creators/{case.subject}/money"),
        STAFF_ONLY,
        owner_id,
    ),
    Row(
        "setCreatorMoney",
        lambda case: case.client.put(f"{ADMIN}/creators/{case.subject}/money", json=TERMS),
        ADMIN_ONLY,
        owner_id,
    ),
]
