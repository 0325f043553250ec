from __future__ import annotations

from collections.abc import Mapping

import pytest
from sqlalchemy import text

from infra.db import transaction
from simulation.database import ProcessDatabase
from simulation.money.scene import OURS, MoneyScene, open_money
from simulation.money.world import MoneyWorld
from simulation.playing import play, replay, shrunk
from simulation.worlds import Json, Step


def test_every_rule_holds_and_a_seed_gives_the_same_again(
    simulation_environment: Mapping[str, str],
) -> None:
    with open_money(simulation_environment, 3) as scene:
        first, again, other = (play(scene, seed, 100) for seed in (1, 1, 2))
    assert (first.broken, other.broken) == (None, None)
    assert first == again
    assert first.digest != other.digest
    assert first.counts["unlock"]
    assert any(name.startswith("deaths") for name in first.counts + other.counts)


class WastefulWorld(MoneyWorld):
    """Pays each tip a second time at Stripe, under a key of its own."""

    async def settle(self) -> None:
        await super().settle()
        for intent in self.parts.way.stripe.scope().all("payment_intent"):
            if intent["metadata"]["op_kind"] == "charge" and intent["status"] == "succeeded":
                self.parts.browser.post(
                    "/v1/payment_intents",
                    f"amount={intent['amount']}&currency=usd&customer={intent['customer']}"
                    f"&payment_method={intent['payment_method']}&confirm=true"
                    f"&allowed_payment_method_types[0]=card"
                    f"&metadata[op_id]={intent['metadata']['op_id']}",
                )


class WastefulScene(MoneyScene):
    world_type = WastefulWorld


def test_a_payment_that_is_made_twice_is_found_and_shrunk(
    simulation_environment: Mapping[str, str],
) -> None:
    database = ProcessDatabase({**simulation_environment, **OURS}, 4)
    scene = WastefulScene(database)
    failed = play(scene, 1, 60)
    short = shrunk(scene, failed)
    database.close()
    assert short.broken is not None
    assert short.broken.rule == "nothing is made twice at Stripe"
    acts = [step.act for step in short.steps]
    assert acts[0] in ("unlock", "tip", "give", "subscribe", "write")
    assert len(acts) <= 4  # Who has a card that asks has to confirm.


def test_who_subscribed_before_a_long_outage_is_not_charged_after_it(
    simulation_environment: Mapping[str, str],
) -> None:
    """Least of all for the month that is over, and the next one with it."""
    picks = {"fan": 0, "creator": 0, "thing": 0, "card": 0, "choice": 24}
    steps = [
        Step("subscribe", dict(picks)),
        Step("work", {"pick": 0}),
        Step("jump", {"hours": 744}),
    ]
    with open_money(simulation_environment, 13) as scene:
        outcome = replay(scene, 1, steps)
        assert isinstance(scene, MoneyScene)
        with transaction(scene.database.engine) as session:
            ends = session.scalars(text("SELECT end_reason FROM subscriptions")).all()
    assert outcome.broken is None
    assert ends == ["never_paid"]
    assert outcome.counts["charges paid"] == 0


@pytest.mark.parametrize("death", ["before", "after"])
def test_who_dies_at_a_charge_takes_the_money_once(
    simulation_environment: Mapping[str, str], death: str
) -> None:
    picks = {"fan": 0, "creator": 0, "thing": 0, "card": 0, "choice": 0}
    steps = [Step("tip", dict(picks)), Step("work", {"pick": 0})]
    steps.append(Step("work", {"pick": 0, "death": death}))
    with open_money(simulation_environment, 5) as scene:
        outcome = replay(scene, 1, steps)
        assert isinstance(scene, MoneyScene)
        with transaction(scene.database.engine) as session:
            states = session.scalars(text("SELECT state FROM charges")).all()
    assert outcome.broken is None
    assert outcome.counts[f"deaths {death} work"] == 1
    assert len(states) == 1


def test_a_request_that_is_sent_again_at_once_and_later_counts_once(
    simulation_environment: Mapping[str, str],
) -> None:
    picks: dict[str, Json] = {"fan": 0, "creator": 0, "thing": 0, "card": 0, "choice": 2}
    again, later = Step("again", {"pick": 0}), Step("pass", {"minutes": 30})
    steps = [
        step
        for act in ("tip", "write", "unlock_message", "subscribe", "give", "ask_for_money")
        for step in (Step(act, dict(picks)), again, later, again, later)
    ]
    with open_money(simulation_environment, 12) as scene:
        outcome = replay(scene, 4, steps)
        assert isinstance(scene, MoneyScene)
        with transaction(scene.database.engine) as session:
            counts = {
                table: session.scalar(text(f"SELECT count(*) FROM {table}"))
                for table in ("tips", "messages", "unlocks", "subscriptions", "gifts")
            }
    assert outcome.broken is None
    assert set(counts.values()) == {1}, counts
    assert outcome.counts["again tip"] == outcome.counts["again give"] == 2
