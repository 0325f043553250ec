"""What tests and operators make happen, by name."""

from __future__ import annotations

import json
from typing import Any

import pytest
import stripe

from devstack.stripe import LocalStripe
from devstack.stripe.errors import Refused
from tests.unit.stripe_local.conftest import NOW
from tests.unit.stripe_local.paying import charge_of, pay


def test_commands_do_what_people_and_banks_do(
    local: LocalStripe, client: stripe.StripeClient
) -> None:
    asked = pay(client, "pm_card_authenticationRequired")
    local.control("authenticate", id=asked.id)
    assert client.v1.payment_intents.retrieve(asked.id).status == "succeeded"

    charge = charge_of(pay(client)).id
    dispute = local.control("dispute", charge=charge, inquiry=True, reason="general")
    assert dispute["status"] == "warning_needs_response"
    assert local.control("escalate", dispute=dispute["id"])["status"] == "needs_response"
    won = local.control("finish_dispute", dispute=dispute["id"], status="won")
    assert won["status"] == "won"

    refund = client.v1.refunds.create({"charge": charge})
    assert local.control("fail_refund", refund=refund.id)["status"] == "failed"
    assert local.control("clock", seconds=5) == {"now": NOW + 5}


def test_a_fault_may_be_ordered_and_taken_back(
    local: LocalStripe, client: stripe.StripeClient
) -> None:
    local.control("fault", kind="refused_before", status=503)
    assert local.control("clear_faults") == {"met": 0}, "nothing has come by it"
    assert pay(client).status == "succeeded"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("nothing", {}),
        ("onboard", {}),
        ("onboard", {"account": "acct_none"}),
        ("clock", {"seconds": -1}),
        ("fault", {"kind": "lost_after", "colour": "red"}),
    ],
)
def test_what_cannot_be_is_refused(
    local: LocalStripe, name: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(Refused):
        local.control(name, **arguments)
    answer = local.answer_control(name, arguments)
    assert answer.status in (400, 404)
    assert json.loads(answer.body)["error"]["message"]


def test_pages_that_are_not_there(local: LocalStripe) -> None:
    assert local.page("GET", "/_pages/nothing").status == 404
    assert local.page("GET", "/_pages/authenticate/pi_none").status == 400
    assert local.page("GET", "/_pages/onboarding/none").status == 404
