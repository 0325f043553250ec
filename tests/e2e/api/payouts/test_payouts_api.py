"""What creators see of their money, wishes for a payout, and decisions of staff."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2 as httpx
import pytest
from sqlalchemy import delete, update

from infra.db import transaction
from infra.models import AuthSession, IdempotencyRecord
from tests.e2e.api.admin.conftest import ADMIN, ME, Office, code_of
from tests.harness.earnings import Earner

Json = dict[str, Any]


def ask(client: httpx.Client, key: str = "first", **wish: str) -> httpx.Response:
    return client.post(f"{ME}/payouts", json=wish, headers={"idempotency-key": key})


def balance(client: httpx.Client) -> list[Json]:
    data: list[Json] = client.get(f"{ME}/balance").json()["data"]
    return data


def mine(office: Office) -> httpx.Client:
    return office.client(office.people.owner)


def test_a_balance_says_what_there_is_and_when_there_is_more(
    office: Office, earner: Earner
) -> None:
    assert balance(mine(office)) == []
    now = datetime.now(UTC)
    earner.earn(4_000)
    earner.sell(1_000, at=now)
    earner.sell(2_000, at=now)
    earner.sell(500, at=now - timedelta(days=2))
    [shown] = balance(mine(office))
    releases = shown.pop("releases")
    assert shown == {
        "currency": "USD",
        "pending_minor": 2_800,
        "available_minor": 4_000,
        "reserve_minor": 0,
        "held_minor": 0,
        "in_flight_minor": 0,
        "debt_minor": 0,
        "minimum_minor": 2_000,
    }
    assert [each["amount_minor"] for each in releases] == [400, 2_400]
    first = datetime.fromisoformat(releases[0]["at"])
    assert timedelta(days=4.9) < first - now < timedelta(days=5.1)


def test_what_is_owed_is_shown_as_what_it_is(office: Office, earner: Earner) -> None:
    earner.connect()
    charge = earner.earn(4_000)
    earner.in_review()
    earner.refund(charge, 5_000)
    [shown] = balance(mine(office))
    assert (shown["in_flight_minor"], shown["debt_minor"]) == (4_000, 4_000)


def test_a_wish_is_a_payout_that_waits_for_its_run(office: Office, earner: Earner) -> None:
    earner.connect()
    earner.earn(4_000)
    answer = ask(mine(office), currency="USD")
    assert answer.status_code == 202
    body = answer.json()
    assert (body["state"], body["kind"], body["amount_minor"]) == ("requested", "on_demand", None)
    assert answer.headers["location"] == f"{ME}/payouts/{body['id']}"
    assert mine(office).get(answer.headers["location"]).json() == body
    assert mine(office).get(f"{ME}/payouts").json()["data"] == [body]


def test_the_same_key_means_the_same_payout_also_when_its_answer_is_forgotten(
    office: Office, earner: Earner
) -> None:
    earner.connect()
    earner.earn(4_000)
    client = mine(office)
    first, again = ask(client), ask(client)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == first.json()
    with transaction(office.engine) as session:
        session.execute(delete(IdempotencyRecord))
    assert ask(client).json()["id"] == first.json()["id"]
    assert code_of(ask(client, "another")) == (409, "payout_in_progress")
    assert len(earner.payouts()) == 1


def test_a_wish_without_a_key_is_refused(office: Office, earner: Earner) -> None:
    earner.connect()
    earner.earn(4_000)
    assert code_of(mine(office).post(f"{ME}/payouts", json={})) == (400, "idempotency_key_missing")
    assert earner.payouts() == []


def test_a_refusal_says_why_in_numbers(office: Office, earner: Earner) -> None:
    earner.connect()
    earner.earn(1_600)
    answer = ask(mine(office))
    assert code_of(answer) == (409, "below_payout_minimum")
    assert answer.json()["facts"] == {
        "currency": "USD",
        "amount_minor": 1_600,
        "minimum_minor": 2_000,
    }


def test_money_moves_after_a_fresh_proof_only(office: Office, earner: Earner) -> None:
    earner.connect()
    earner.earn(4_000)
    with transaction(office.engine) as session:
        session.execute(
            update(AuthSession).values(proved_at=datetime.now(UTC) - timedelta(hours=1))
        )
    assert code_of(ask(mine(office))) == (403, "step_up_required")
    account = mine(office).post(f"{ME}/payout-account", json={"country": "US"})
    assert code_of(account) == (403, "step_up_required")


def test_payouts_come_in_pages(office: Office, earner: Earner) -> None:
    earner.connect()
    made = []
    for _ in range(3):
        earner.earn(4_000)
        made.append(earner.in_review())
        reject(office, made[-1])
    client = mine(office)
    first = client.get(f"{ME}/payouts", params={"limit": 2}).json()
    rest = client.get(f"{ME}/payouts", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    shown = [each["id"] for each in first["data"] + rest["data"]]
    assert (shown, rest["has_more"]) == (made[::-1], False)


def decide(office: Office, payout_id: str, verdict: str, note: str) -> httpx.Response:
    return office.admin.post(f"{ADMIN}/payouts/{payout_id}/{verdict}", json={"note": note})


def reject(office: Office, payout_id: str) -> httpx.Response:
    return decide(office, payout_id, "reject", "Case 7: another name")


def test_staff_see_what_waits_and_an_admin_lets_it_go(office: Office, earner: Earner) -> None:
    earner.connect()
    earner.earn(4_000)
    payout_id = earner.in_review()
    [waiting] = office.moderator.get(f"{ADMIN}/payouts").json()["data"]
    assert (waiting["id"], waiting["review_reasons"]) == (payout_id, ["first_payout"])
    answer = decide(office, payout_id, "approve", "Passport fits")
    assert answer.status_code == 200
    assert (answer.json()["state"], answer.json()["decision_note"]) == (
        "reserved",
        "Passport fits",
    )
    assert office.moderator.get(f"{ADMIN}/payouts").json()["data"] == []
    [entry] = office.entries("payout.approved")
    assert (entry.subject_id, entry.detail["note"]) == (payout_id, "Passport fits")
    assert decide(office, payout_id, "approve", "").status_code == 200
    assert code_of(reject(office, payout_id)) == (409, "payout_not_in_review")
    assert len(office.entries("payout.approved")) == 1


def test_a_rejected_payout_is_available_again_and_its_creator_reads_no_note(
    office: Office, earner: Earner
) -> None:
    earner.connect()
    earner.earn(4_000)
    payout_id = earner.in_review()
    assert reject(office, payout_id).json()["state"] == "released"
    assert earner.balances() == {"available": 4_000}
    shown = mine(office).get(f"{ME}/payouts/{payout_id}")
    assert shown.json()["reason"] == "rejected_by_staff"
    assert "another name" not in shown.text
    assert len(office.entries("payout.rejected")) == 1


TERMS: Json = {
    "fee_bps": 1_500,
    "hold_days": 14,
    "payouts_blocked_reason": "Case 7",
    "reason": "Agreed on in case 7",
}


def test_terms_of_one_creator_hold_from_now_on(office: Office, earner: Earner) -> None:
    earner.connect()
    earner.earn(4_000)
    path = f"{ADMIN}/creators/{earner.id}/money"
    nothing = dict.fromkeys(
        ("fee_bps", "hold_days", "post_price_minor_max", "payouts_blocked_reason")
    )
    assert office.moderator.get(path).json() == {"creator_id": earner.id, **nothing}
    for _ in range(2):
        assert office.admin.put(path, json=TERMS).json()["fee_bps"] == 1_500
    assert code_of(ask(mine(office))) == (409, "payouts_blocked")
    earner.sell(1_000)
    assert earner.balances() == {"available": 4_000, "pending": 850}
    [entry] = office.entries("creator_money.changed")
    assert (entry.detail["before"], entry.detail["after"]["hold_days"]) == (nothing, 14)


@pytest.mark.parametrize(
    "wrong",
    [
        {"fee_bps": 10_001},
        {"hold_days": -1},
        {"post_price_minor_max": 99},
        {"payouts_blocked_reason": ""},
    ],
)
def test_terms_within_bounds(office: Office, earner: Earner, wrong: Json) -> None:
    answer = office.admin.put(f"{ADMIN}/creators/{earner.id}/money", json=TERMS | wrong)
    assert answer.status_code == 422


def test_what_a_post_may_cost_at_most_can_be_agreed_on(office: Office, earner: Earner) -> None:
    path = f"{ADMIN}/creators/{earner.id}/money"
    post = {"audience": "paid", "price_minor": 90_000, "currency": "USD", "body": "Rare"}

    def write(price_minor: int) -> tuple[int, Json]:
        answer = mine(office).post("/api/v1/posts", json=post | {"price_minor": price_minor})
        return answer.status_code, answer.json()

    assert write(50_000)[0] == 201
    status, refused = write(50_001)
    assert (status, refused["code"]) == (422, "price_out_of_bounds")
    agreed = TERMS | {"post_price_minor_max": 90_000, "payouts_blocked_reason": None}
    assert office.admin.put(path, json=agreed).json()["post_price_minor_max"] == 90_000
    assert write(90_000)[0] == 201
    status, refused = write(90_001)
    assert (status, refused["facts"]["most"]) == (422, 90_000)
    assert office.admin.put(path, json=agreed | {"post_price_minor_max": 2_000}).status_code == 200
    assert write(2_001)[0] == 422


def test_nobody_sees_the_money_of_others(office: Office, earner: Earner) -> None:
    earner.connect()
    earner.earn(4_000)
    payout_id = earner.in_review()
    other = office.client(office.people.other_creator)
    assert balance(other) == []
    assert other.get(f"{ME}/payouts").json()["data"] == []
    assert code_of(other.get(f"{ME}/payouts/{payout_id}")) == (404, "payout_unknown")
    assert code_of(other.get(f"{ME}/payout-account")) == (404, "payout_account_missing")
