"""Refunds and disputes over HTTP, carried out by workers on a local Stripe."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx2 as httpx
import pytest
from sqlalchemy import Engine, delete, select

from activities.disputes import DisputeActivities
from domain.disputes import DisputeState
from infra.db import transaction
from infra.models import Charge, Dispute, IdempotencyRecord, Unlock
from infra.settings import Settings
from infra.stripe.gateway import StripeGateway
from tests.e2e.api.admin.conftest import Office, code_of
from tests.harness.sales import Sales
from workflows.disputes.messages import DisputeStep

API = "/api/v1"
WHY = {"reason": "goodwill", "note": "Case 7"}


@pytest.fixture
def charge(office: Office, sales: Sales) -> Charge:
    """A post of the owner's that somebody bought for 10.00."""
    return sales.sell(office.people.follower.user)


def refund(client: httpx.Client, path: str, key: str, **body: Any) -> httpx.Response:
    return client.post(f"{API}/{path}/refunds", json=body, headers={"idempotency-key": key})


def until(check: Callable[[], bool]) -> None:
    ends = time.monotonic() + 15
    while not check():
        assert time.monotonic() < ends, "it did not come to that"
        time.sleep(0.05)


@pytest.mark.usefixtures("money_workers")
def test_staff_refund_and_everybody_concerned_sees_it(
    office: Office, sales: Sales, charge: Charge
) -> None:
    path = f"admin/charges/{charge.id}"
    answer = refund(office.admin, path, "one", amount_minor=400, **WHY)
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert (body["state"], body["amount_minor"]) == ("succeeded", 400)
    assert body["requested_by"] == office.people.admin.user.handle
    assert refund(office.admin, path, "one", amount_minor=400, **WHY).json()["id"] == body["id"]
    for person in (office.people.follower, office.people.owner):
        seen = office.client(person).get(f"{API}/me/payments/{charge.id}/refunds").json()["data"]
        assert [(each["id"], each["state"]) for each in seen] == [(body["id"], "succeeded")]
        assert "note" not in seen[0]
    listed = office.admin.get(f"{API}/admin/charges/{charge.id}/refunds").json()["data"]
    assert listed == [body]
    assert office.admin.get(f"{API}/admin/refunds/{body['id']}").json() == body
    assert office.admin.get(f"{API}/admin/refunds?state=succeeded").json()["data"] == [body]
    [entry] = office.entries("refund.requested")
    assert entry.detail["amount_minor"] == 400
    sales.check_books()


@pytest.mark.usefixtures("money_workers")
def test_creators_give_back_their_own_sales(office: Office, sales: Sales, charge: Charge) -> None:
    owner = office.client(office.people.owner)
    answer = refund(owner, f"me/sales/{charge.id}", "all")
    assert answer.status_code == 201, answer.text
    assert (answer.json()["state"], answer.json()["amount_minor"]) == ("succeeded", 1_000)
    assert not sales.has_right(charge)
    again = refund(owner, f"me/sales/{charge.id}", "more", amount_minor=1)
    assert code_of(again) == (409, "refund_exceeds_charge")
    other = office.client(office.people.other_creator)
    assert code_of(refund(other, f"me/sales/{charge.id}", "x")) == (404, "charge_unknown")
    sales.check_books()


@pytest.mark.usefixtures("money_workers")
def test_a_creator_who_was_paid_out_refunds_no_more_than_is_left(
    office: Office, sales: Sales, charge: Charge
) -> None:
    sales.pass_time(timedelta(days=8))
    sales.release()
    sales.pay_out()
    owner = office.client(office.people.owner)
    refused = refund(owner, f"me/sales/{charge.id}", "gone")
    assert code_of(refused) == (409, "refund_not_covered")
    assert refused.json()["facts"]["missing_minor"] == 800
    # What a newer sale has earned pays for its own refund, and only once it is available for
    # another's.
    newer = sales.sell(office.people.stranger.user)
    assert refund(owner, f"me/sales/{newer.id}", "own", amount_minor=500).status_code == 201
    assert code_of(refund(owner, f"me/sales/{charge.id}", "x"))[1] == "refund_not_covered"
    admin = refund(office.admin, f"admin/charges/{charge.id}", "staff", **WHY)
    assert admin.status_code == 201


@pytest.mark.usefixtures("money_workers")
def test_refunds_at_once_are_not_covered_by_the_same_earnings(
    office: Office, sales: Sales, charge: Charge
) -> None:
    other = sales.sell(office.people.stranger.user)
    sales.pass_time(timedelta(days=8))
    sales.release()
    sales.pay_out()
    third = sales.sell(office.people.stranger.user)
    sales.pass_time(timedelta(days=8))
    sales.release()
    owner = office.client(office.people.owner)
    assert refund(owner, f"me/sales/{charge.id}", "1").status_code == 201
    for sale in (other, third):
        assert code_of(refund(owner, f"me/sales/{sale.id}", sale.id)) == (
            409,
            "refund_not_covered",
        )


@pytest.mark.usefixtures("money_workers")
def test_a_key_of_another_payments_refund_is_refused(
    office: Office, sales: Sales, charge: Charge, engine: Engine
) -> None:
    owner, other = office.client(office.people.owner), sales.sell(office.people.stranger.user)
    assert refund(owner, f"me/sales/{charge.id}", "key", amount_minor=100).status_code == 201
    with transaction(engine) as session:
        session.execute(delete(IdempotencyRecord))
    again = refund(owner, f"me/sales/{other.id}", "key", amount_minor=100)
    assert code_of(again) == (409, "idempotency_key_reused")


def test_a_refund_needs_a_key_and_an_amount_within_what_was_paid(
    office: Office, charge: Charge
) -> None:
    path = f"{API}/admin/charges/{charge.id}/refunds"
    assert office.admin.post(path, json=WHY).status_code == 422
    for amount, code in ((0, 422), (1_001, 409)):
        answer = office.admin.post(
            path, json={**WHY, "amount_minor": amount}, headers={"idempotency-key": f"k{amount}"}
        )
        assert answer.status_code == code, answer.text


def test_a_sale_that_is_too_old_goes_to_staff(
    office: Office, engine: Engine, charge: Charge
) -> None:
    with transaction(engine) as session:
        row = session.get_one(Charge, charge.id)
        assert row.paid_at is not None
        row.paid_at -= timedelta(days=181)
    owner = office.client(office.people.owner)
    assert code_of(refund(owner, f"me/sales/{charge.id}", "x")) == (403, "sale_too_old")


def disputed(
    engine: Engine, sales: Sales, settings: Settings, gateway: StripeGateway, charge: Charge
) -> Dispute:
    """A chargeback that its run has looked at once."""
    stripe_id = sales.dispute(charge)
    DisputeActivities(settings, engine, gateway).look_at_dispute(DisputeStep(stripe_id, sales.now))
    with transaction(engine) as session:
        return session.scalars(select(Dispute)).one()


@pytest.mark.usefixtures("money_workers")
def test_staff_look_at_a_dispute_and_accept_it(
    office: Office,
    engine: Engine,
    sales: Sales,
    settings: Settings,
    gateway: StripeGateway,
    charge: Charge,
) -> None:
    dispute = disputed(engine, sales, settings, gateway, charge)
    [listed] = office.moderator.get(f"{API}/admin/disputes").json()["data"]
    assert listed["id"] == dispute.id
    assert "evidence" not in listed
    one = f"{API}/admin/disputes/{dispute.id}"
    shown = office.moderator.get(one).json()
    assert shown["evidence"]["customer_name"] == office.people.follower.user.display_name
    assert len(office.entries("dispute.viewed")) == 1
    assert code_of(refund(office.admin, f"admin/charges/{charge.id}", "x", **WHY)) == (
        409,
        "charge_disputed",
    )
    answer = office.admin.post(f"{one}/accept", json={"note": "Case 7"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["answer"] == "accept"
    until(lambda: office.admin.get(one).json()["state"] == DisputeState.LOST)
    assert not sales.has_right(charge)
    assert office.admin.get(f"{API}/admin/disputes").json()["data"] == []
    assert len(office.admin.get(f"{API}/admin/disputes?only_open=false").json()["data"]) == 1
    assert code_of(office.admin.post(f"{one}/submit", json={})) == (409, "dispute_answered")
    sales.check_books()


@pytest.mark.usefixtures("money_workers")
def test_staff_have_the_evidence_submitted(
    office: Office,
    engine: Engine,
    sales: Sales,
    settings: Settings,
    gateway: StripeGateway,
    charge: Charge,
) -> None:
    dispute = disputed(engine, sales, settings, gateway, charge)
    one = f"{API}/admin/disputes/{dispute.id}"
    assert office.admin.post(f"{one}/submit", json={}).status_code == 200
    until(lambda: office.admin.get(one).json()["state"] == DisputeState.UNDER_REVIEW)
    held = sales.local.scope().get("dispute", dispute.stripe_dispute_id)
    assert held["evidence_details"]["submission_count"] == 1
    assert len(office.entries("dispute.submit")) == 1


@pytest.mark.usefixtures("money_workers")
def test_posts_that_brought_most_stand_first_less_what_went_back(
    office: Office, engine: Engine, sales: Sales
) -> None:
    fan, owner = office.people.follower.user, office.client(office.people.owner)
    low, high = sales.sell(fan, 1_000), sales.sell(fan, 3_000)
    with transaction(engine) as session:
        posts = {each: session.get_one(Unlock, each.subject_id).post_id for each in (low, high)}
    assert refund(owner, f"me/sales/{high.id}", "part", amount_minor=2_500).status_code == 201
    found = owner.get(f"{API}/me/earnings").json()["top_posts"]
    assert [(each["post_id"], each["gross_minor"], each["net_minor"]) for each in found] == [
        (posts[low], 1_000, 800),
        (posts[high], 500, 400),
    ]
    assert [(each["unlocks"], each["tips"]) for each in found] == [(1, 0), (1, 0)]
