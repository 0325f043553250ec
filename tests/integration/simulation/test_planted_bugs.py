"""The simulation can fail: bugs that are planted in what it is made of are found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from devstack.stripe import Answer
from devstack.stripe.webhooks import Delivery
from infra.db import transaction
from infra.queries import ledger
from simulation.database import ProcessDatabase
from simulation.money.acts import ACTS
from simulation.money.scene import OURS, MoneyScene
from simulation.money.stripe import WayToStripe
from simulation.money.world import MoneyWorld
from simulation.playing import play, replay, shrunk
from simulation.worlds import Json, Step

SEEDS = range(1, 13)
FEW_ACTS = {name: ACTS[name] for name in ("unlock", "tip", "confirm", "refund")}
"""Enough for each bug here. The more there is to do in a world, the longer is the way to it."""

WITH_MESSAGES = FEW_ACTS | {name: ACTS[name] for name in ("write", "unlock_message")}


class WithoutKeys(WayToStripe):
    """Drops the idempotency key of every order, so that one that is repeated counts twice."""

    def _send(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any
    ) -> Answer:
        kept = {
            name: value
            for name, value in (headers or {}).items()
            if name.lower() != "idempotency-key"
        }
        return super()._send(method, url, kept, post_data)


class WithoutFees(WayToStripe):
    """Hides Stripe's fee of a payment from whoever takes it: that post is left out."""

    def _send(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any
    ) -> Answer:
        answer = super()._send(method, url, headers, post_data)
        if method.upper() != "POST" or not url.endswith("/v1/payment_intents"):
            return answer
        intent = orjson.loads(answer.body)
        charge = intent.get("latest_charge")
        if isinstance(charge, dict) and isinstance(charge.get("balance_transaction"), dict):
            charge["balance_transaction"]["fee"] = 0
        return replace(answer, body=orjson.dumps(intent))


class BooksWhatItHears(MoneyWorld):
    """Books Stripe's fee of a payment whenever a webhook tells of it, by the name of the fee, which
    is booked once whoever else does it. No inbox keeps duplicates away from it."""

    def name_of(self, event_id: str, fee: str) -> str:
        del event_id
        return fee

    async def hear(self, delivery: Delivery) -> int:
        status = await super().hear(delivery)
        if delivery.event_type == "charge.succeeded":
            charge = orjson.loads(delivery.body)["data"]["object"]
            said = self.parts.way.stripe.scope().get(
                "balance_transaction", charge["balance_transaction"]
            )
            with transaction(self.parts.engine) as session:
                ledger.record_fee(
                    session,
                    txn_id=self.name_of(delivery.event_id, said["id"]),
                    stripe_ref=charge["id"],
                    fee_minor=said["fee"],
                    currency=said["currency"].upper(),
                    at=self.parts.now,
                )
        return status


class BooksDeliveries(BooksWhatItHears):
    """By the name of the delivery as well, so that a duplicate takes effect once more."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.heard: Counter[str] = Counter()

    def name_of(self, event_id: str, fee: str) -> str:
        self.heard[event_id] += 1
        times = self.heard[event_id]
        return fee if times == 1 else f"{fee}:{times}"


KEEP_RIGHTS = """
CREATE FUNCTION keep_right() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN NEW.revoked_at := OLD.revoked_at; RETURN NEW; END';
CREATE TRIGGER keep_right BEFORE UPDATE ON entitlements
    FOR EACH ROW EXECUTE FUNCTION keep_right();
"""
"""What was bought stays, although the money went back."""


class SmallScene(MoneyScene):
    acts = FEW_ACTS


class ForgettingScene(SmallScene):
    way_to_stripe = WithoutKeys


class FeelessScene(SmallScene):
    way_to_stripe = WithoutFees


class DuplicatingScene(SmallScene):
    world_type = BooksDeliveries


class HearingScene(SmallScene):
    world_type = BooksWhatItHears


class GenerousScene(MoneyScene):
    acts = WITH_MESSAGES

    def __init__(self, database: ProcessDatabase) -> None:
        super().__init__(database)
        with transaction(database.engine) as session:
            session.execute(text(KEEP_RIGHTS))


def first_break(scene: MoneyScene, steps_of_each: int) -> tuple[str, list[Step]]:
    for seed in SEEDS:
        failed = play(scene, seed, steps_of_each)
        if failed.broken is not None:
            short = shrunk(scene, failed)
            assert short.broken is not None
            return short.broken.rule, list(short.steps)
    raise AssertionError("the planted bug was not found")


@pytest.mark.parametrize(
    ("scene_of", "number", "steps_of_each", "rules"),
    [
        pytest.param(
            ForgettingScene,
            6,
            40,
            # A refund that is asked for again is refused, though it was made.
            {"nothing is made twice at Stripe", "the ledger equals Stripe's balance"},
            id="a key is dropped",
        ),
        pytest.param(
            FeelessScene,
            7,
            40,
            {
                "the ledger equals Stripe's balance",
                "no run waits for an operator who has been there",
            },
            id="a post is left out",
        ),
        pytest.param(
            DuplicatingScene,
            8,
            40,
            {"nothing is posted that Stripe has not booked"},
            id="a duplicate webhook takes effect twice",
        ),
        pytest.param(
            GenerousScene,
            9,
            40,
            {"a right that was bought is paid for, and the money was not given back"},
            id="a right is kept after a refund",
        ),
    ],
)
def test_a_planted_bug_is_found_and_shrunk(
    simulation_environment: Mapping[str, str],
    scene_of: type[MoneyScene],
    number: int,
    steps_of_each: int,
    rules: set[str],
) -> None:
    database = ProcessDatabase({**simulation_environment, **OURS}, number)
    try:
        rule, steps = first_break(scene_of(database), steps_of_each)
    finally:
        database.close()
    assert rule in rules
    assert 0 < len(steps) <= 8


def test_what_is_booked_by_its_own_name_bears_duplicates(
    simulation_environment: Mapping[str, str],
) -> None:
    """So the plant above is found for its names alone."""
    database = ProcessDatabase({**simulation_environment, **OURS}, 10)
    try:
        played = [play(HearingScene(database), seed, 40) for seed in SEEDS[:3]]
    finally:
        database.close()
    assert [each.broken for each in played] == [None] * 3


def test_a_right_on_a_message_that_is_kept_is_found(
    simulation_environment: Mapping[str, str],
) -> None:
    picks: dict[str, Json] = {"fan": 0, "creator": 0, "thing": 0, "card": 0, "choice": 1}
    acts = ("write", "unlock_message", "pass", "confirm", "pass", "refund", "pass")
    steps = [Step(act, {"minutes": 30} if act == "pass" else picks) for act in acts]
    database = ProcessDatabase({**simulation_environment, **OURS}, 11)
    try:
        outcome = replay(GenerousScene(database), 1, steps)
        honest = replay(MoneyScene(database), 1, steps[:-2])
    finally:
        database.close()
    assert honest.broken is None
    assert outcome.broken is not None
    assert outcome.broken.rule.startswith("a right that was bought is paid for")
