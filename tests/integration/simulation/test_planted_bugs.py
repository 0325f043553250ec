"""The simulation can fail: bugs that are planted between us and Stripe are found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson
import pytest

from devstack.stripe import Answer
from simulation.database import ProcessDatabase
from simulation.money.scene import OURS, MoneyScene
from simulation.money.stripe import WayToStripe
from simulation.playing import play, shrunk
from simulation.worlds import Step

SEEDS = range(1, 13)
STEPS = 40


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


class ForgettingScene(MoneyScene):
    way_to_stripe = WithoutKeys


class FeelessScene(MoneyScene):
    way_to_stripe = WithoutFees


def first_break(scene: MoneyScene) -> tuple[str, list[Step]]:
    for seed in SEEDS:
        failed = play(scene, seed, STEPS)
        if failed.broken is not None:
            short = shrunk(scene, failed)
            assert short.broken is not None
            return short.broken.rule, list(short.steps)
    raise AssertionError("the planted bug was not found")


@pytest.mark.parametrize(
    ("scene_of", "number", "rules"),
    [
        (ForgettingScene, 6, {"nothing is made twice at Stripe"}),
        (
            FeelessScene,
            7,
            {
                "the ledger equals Stripe's balance",
                "no run waits for an operator who has been there",
            },
        ),
    ],
    ids=["a key is dropped", "a post is left out"],
)
def test_a_planted_bug_is_found_and_shrunk(
    simulation_environment: Mapping[str, str],
    scene_of: type[MoneyScene],
    number: int,
    rules: set[str],
) -> None:
    database = ProcessDatabase({**simulation_environment, **OURS}, number)
    try:
        rule, steps = first_break(scene_of(database))
    finally:
        database.close()
    assert rule in rules
    assert 0 < len(steps) <= 6
