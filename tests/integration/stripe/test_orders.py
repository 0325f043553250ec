"""An order counts once: every branch of how it is repeated, with the real journal."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from domain.errors import OutcomeUnknown, StepBlocked, Unavailable
from domain.stripe_calls import CallState, Repeat
from infra.db import transaction
from infra.ids import new_id
from infra.models import StripeCall
from infra.settings import Settings
from infra.stripe import StripeGateway
from infra.stripe.journal import CallJournal, Order
from infra.stripe.objects import Refund
from tests.integration.stripe.canned import (
    NOW,
    Answer,
    Asked,
    CannedStripe,
    Json,
    Lost,
    Refused,
    failure,
    listed,
    refund,
)
from tests.integration.stripe.conftest import MakeGateway

OLD = NOW + timedelta(hours=23)
YOUNG = OLD - timedelta(seconds=1)
REPLAYED = {"Idempotent-Replayed": "true"}


@pytest.fixture
def key() -> str:
    return f"refund:{new_id()}:1"


def order(
    gateway: StripeGateway, key: str, *, at: datetime = NOW, amount_minor: int = 500
) -> Refund:
    return gateway.create_refund(
        payment_intent="pi_1", amount_minor=amount_minor, key=key, op_id="row-1", at=at
    )


def row_of(engine: Engine, key: str) -> StripeCall:
    with transaction(engine) as session:
        return session.get_one(StripeCall, key)


def found(key: str, name: str = "re_9") -> Json:
    return listed(refund("re_0"), refund(name, metadata={"op_key": key}))


def test_it_is_written_down_before_it_is_sent(
    make_gateway: MakeGateway, engine: Engine, key: str
) -> None:
    seen: list[StripeCall] = []

    def look(_: Asked) -> Answer:
        seen.append(row_of(engine, key))
        return Answer(200, refund())

    canned = CannedStripe(look)
    assert order(make_gateway(canned), key).id == "re_1"
    assert (seen[0].state, seen[0].attempts, seen[0].op_id) == ("intent", 1, "row-1")
    row = row_of(engine, key)
    assert (row.state, row.object_id) == (CallState.DONE, "re_1")
    assert canned.keys == [key]


def test_a_repeat_of_what_is_done_sends_the_same_key_while_stripe_knows_it(
    make_gateway: MakeGateway, engine: Engine, key: str
) -> None:
    canned = CannedStripe(refund(), refund())
    gateway = make_gateway(canned)
    assert order(gateway, key) == order(gateway, key, at=YOUNG)
    assert canned.keys == [key, key]
    assert row_of(engine, key).attempts == 2


def test_a_late_repeat_of_what_is_done_reads_the_object(
    make_gateway: MakeGateway, key: str
) -> None:
    canned = CannedStripe(refund(), refund(status="failed"))
    gateway = make_gateway(canned)
    order(gateway, key)
    assert order(gateway, key, at=OLD).status == "failed"
    assert canned.asked[1].path == "/v1/refunds/re_1"
    assert canned.keys == [key], "nothing was ordered again"


@pytest.mark.parametrize(
    "trouble",
    [Lost(), failure(500), failure(503), failure(409, code="idempotency_key_in_use")],
    ids=["lost", "500", "503", "in use"],
)
def test_an_unknown_outcome_is_repeated_under_the_same_key(
    make_gateway: MakeGateway, engine: Engine, key: str, trouble: Answer | Lost
) -> None:
    canned = CannedStripe(trouble, refund())
    gateway = make_gateway(canned)
    with pytest.raises(OutcomeUnknown):
        order(gateway, key)
    assert row_of(engine, key).state == CallState.UNKNOWN
    assert order(gateway, key, at=YOUNG).id == "re_1"
    assert canned.keys == [key, key]
    assert row_of(engine, key).state == CallState.DONE


def test_an_old_unknown_outcome_that_was_carried_out_is_found(
    make_gateway: MakeGateway, engine: Engine, key: str
) -> None:
    canned = CannedStripe(Lost(), found(key))
    gateway = make_gateway(canned)
    with pytest.raises(OutcomeUnknown):
        order(gateway, key)
    assert order(gateway, key, at=OLD).id == "re_9"
    assert canned.keys == [key]
    assert (row_of(engine, key).state, row_of(engine, key).object_id) == ("done", "re_9")


def test_an_old_unknown_outcome_that_came_to_nothing_is_ordered_anew(
    make_gateway: MakeGateway, engine: Engine, key: str
) -> None:
    canned = CannedStripe(Lost(), listed(refund(metadata={"op_key": "other"})), refund())
    gateway = make_gateway(canned)
    with pytest.raises(OutcomeUnknown):
        order(gateway, key)
    assert order(gateway, key, at=OLD).id == "re_1"
    assert canned.keys == [key, f"{key}#2"]
    row = row_of(engine, key)
    assert (row.generation, row.first_sent_at, row.state) == (2, OLD, "done")


def test_the_next_generation_has_a_life_of_its_own(make_gateway: MakeGateway, key: str) -> None:
    canned = CannedStripe(Lost(), listed(), Lost(), refund())
    gateway = make_gateway(canned)
    for at in (NOW, OLD):
        with pytest.raises(OutcomeUnknown):
            order(gateway, key, at=at)
    order(gateway, key, at=OLD + timedelta(hours=22))
    assert canned.keys == [key, f"{key}#2", f"{key}#2"]


def test_two_that_find_nothing_at_once_send_the_same_key(engine: Engine, key: str) -> None:
    journal = CallJournal(engine)
    given = Order(key, "row-1", "/refunds", {}, None, NOW)
    journal.begin(given)
    late = replace(given, at=OLD)
    looked = [journal.begin(late), journal.begin(late)]
    assert {each.how for each in looked} == {Repeat.LOOK_UP}
    anew = [journal.begin_anew(late, generation=each.generation) for each in looked]
    assert [each.sent_key for each in anew] == [f"{key}#2", f"{key}#2"]


def test_nothing_is_ordered_while_nobody_can_look(
    make_gateway: MakeGateway, engine: Engine, key: str
) -> None:
    canned = CannedStripe(Lost(), Lost())
    gateway = make_gateway(canned)
    with pytest.raises(OutcomeUnknown):
        order(gateway, key)
    with pytest.raises(Unavailable):
        order(gateway, key, at=OLD)
    assert canned.keys == [key]
    assert row_of(engine, key).generation == 1


def test_a_worker_that_died_after_it_wrote_the_order_down(
    make_gateway: MakeGateway, engine: Engine, key: str
) -> None:
    """Whether it died before or after sending, the row is the same, and so is what is done."""

    def die(_: Asked) -> Answer:
        raise KeyboardInterrupt

    canned = CannedStripe(die, refund())
    gateway = make_gateway(canned)
    with pytest.raises(KeyboardInterrupt):
        order(gateway, key)
    assert row_of(engine, key).state == CallState.INTENT
    assert order(gateway, key).id == "re_1"
    assert canned.keys == [key, key]


def test_an_old_order_of_a_worker_that_died_is_looked_for_first(
    make_gateway: MakeGateway, key: str
) -> None:
    def die(_: Asked) -> Answer:
        raise KeyboardInterrupt

    canned = CannedStripe(die, found(key))
    gateway = make_gateway(canned)
    with pytest.raises(KeyboardInterrupt):
        order(gateway, key)
    assert order(gateway, key, at=OLD).id == "re_9"
    assert canned.keys == [key]


def test_an_order_that_is_repeated_for_a_day_is_old_by_the_clock(
    make_gateway: MakeGateway, engine: Engine, key: str
) -> None:
    """It carries the time of its first try all the day."""
    canned = CannedStripe(Lost(), found(key))
    gateway = make_gateway(canned)
    with pytest.raises(OutcomeUnknown):
        order(gateway, key)
    with transaction(engine) as session:
        session.execute(
            text(
                "UPDATE stripe_calls SET wall_sent_at = now() - interval '23 hours' "
                "WHERE key = :key"
            ),
            {"key": key},
        )
    assert order(gateway, key).id == "re_9"
    assert canned.keys == [key]


def test_a_refusal_is_final_and_the_next_try_goes_under_a_new_key(
    make_gateway: MakeGateway, engine: Engine, key: str
) -> None:
    """Under the old one Stripe would say no for a day, though the balance is there now."""
    refusal = failure(400, type="invalid_request_error", code="balance_insufficient")
    canned = CannedStripe(refusal, refund())
    gateway = make_gateway(canned)
    with pytest.raises(StepBlocked) as raised:
        order(gateway, key)
    assert raised.value.code == "payment_request_refused"
    assert raised.value.facts["reason"] == "balance_insufficient"
    row = row_of(engine, key)
    assert (row.state, row.error_code) == (CallState.FAILED, "balance_insufficient")
    assert order(gateway, key).id == "re_1"
    assert canned.keys == [key, f"{key}#2"]


@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        (failure(429), "stripe_unavailable"),
        (Refused(), "stripe_unavailable"),
        (failure(401), "stripe_credentials_refused"),
        (failure(403), "stripe_credentials_refused"),
        (failure(400, type="idempotency_error"), "stripe_key_reused"),
    ],
    ids=["429", "no connection", "401", "403", "key reused"],
)
def test_what_did_nothing_leaves_the_order_as_it_was(
    make_gateway: MakeGateway, engine: Engine, key: str, trouble: Answer | Refused, code: str
) -> None:
    canned = CannedStripe(trouble, refund())
    gateway = make_gateway(canned)
    with pytest.raises((Unavailable, StepBlocked)) as raised:
        order(gateway, key)
    assert not isinstance(raised.value, OutcomeUnknown)
    assert raised.value.code == code
    assert row_of(engine, key).state == CallState.INTENT
    order(gateway, key)
    assert canned.keys == [key, key]


def test_a_kept_answer_that_broke_is_looked_behind_at_once(
    make_gateway: MakeGateway, engine: Engine, key: str
) -> None:
    broken = Answer(500, {"error": {"message": "No."}}, REPLAYED)
    canned = CannedStripe(failure(500), broken, listed(), broken, found(key))
    gateway = make_gateway(canned)
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            order(gateway, key)
    assert order(gateway, key).id == "re_9"
    assert canned.keys == [key, key, key]
    assert row_of(engine, key).state == CallState.DONE


def test_a_key_is_never_used_for_another_order(
    make_gateway: MakeGateway, engine: Engine, key: str
) -> None:
    canned = CannedStripe(refund())
    gateway = make_gateway(canned)
    order(gateway, key)
    with pytest.raises(StepBlocked) as raised:
        order(gateway, key, amount_minor=501)
    assert raised.value.code == "stripe_key_reused"
    assert row_of(engine, key).attempts == 1


@pytest.mark.parametrize("bad", ["", "k" * 241])
def test_an_order_without_a_key_is_not_sent(make_gateway: MakeGateway, bad: str) -> None:
    canned = CannedStripe()
    with pytest.raises(StepBlocked) as raised:
        order(make_gateway(canned), bad)
    assert raised.value.code == "stripe_key_missing"


def test_what_was_done_stays_done_when_another_try_of_it_is_lost(
    make_gateway: MakeGateway, engine: Engine, key: str
) -> None:
    canned = CannedStripe(refund(), Lost())
    gateway = make_gateway(canned)
    order(gateway, key)
    with pytest.raises(OutcomeUnknown):
        order(gateway, key)
    assert row_of(engine, key).state == CallState.DONE


def test_an_answer_that_can_not_be_read_is_an_order_carried_out(
    make_gateway: MakeGateway, engine: Engine, key: str
) -> None:
    canned = CannedStripe(refund(amount="5.00"))
    with pytest.raises(StepBlocked) as raised:
        order(make_gateway(canned), key)
    assert raised.value.code == "stripe_answer_unreadable"
    assert raised.value.facts["field"] == "refund.amount"
    assert row_of(engine, key).state == CallState.DONE


def test_without_stripes_key_nothing_is_asked(settings: object, engine: Engine, key: str) -> None:

    assert isinstance(settings, Settings)
    canned = CannedStripe()
    gateway = StripeGateway(
        settings.model_copy(update={"stripe_secret_key": None}), engine, http_client=canned
    )
    with pytest.raises(StepBlocked) as raised:
        order(gateway, key)
    assert raised.value.code == "stripe_credentials_refused"
