from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from simulation.__main__ import main
from simulation.database import ProcessDatabase
from simulation.ledger.scene import LedgerScene, open_ledger
from simulation.ledger.world import LedgerWorld
from simulation.playing import play, shrunk
from simulation.worlds import World


def test_every_rule_holds_and_a_seed_gives_the_same_again(
    simulation_environment: Mapping[str, str],
) -> None:
    with open_ledger(simulation_environment, 0) as scene:
        first, again, other = (play(scene, seed, 80) for seed in (1, 1, 2))
    assert (first.broken, other.broken) == (None, None)
    assert first == again
    assert first.digest != other.digest
    assert first.counts["sale"] and first.counts["fault: twice"] and first.counts["fault: cut"]


class ForgetfulWorld(LedgerWorld):
    """Does not hear that transfers left Stripe's balance."""

    def _hold(self, ref: str, amount_minor: int) -> None:
        if not ref.startswith("tr_"):
            super()._hold(ref, amount_minor)


class ForgetfulScene(LedgerScene):
    @asynccontextmanager
    async def world(self, seed: int) -> AsyncIterator[World]:
        self.database.empty()
        yield ForgetfulWorld(self.database.engine, seed)


def test_what_the_ledger_and_stripe_do_not_share_is_found_and_shrunk(
    simulation_environment: Mapping[str, str],
) -> None:
    database = ProcessDatabase(simulation_environment, 1)
    scene = ForgetfulScene(database)
    failed = next(each for seed in range(20) if (each := play(scene, seed, 150)).broken)
    short = shrunk(scene, failed)
    database.close()
    assert short.broken is not None
    assert short.broken.rule == "the ledger equals Stripe's balance"
    assert "tr_0" in short.broken.facts
    assert [step.act for step in short.steps] == ["sale", "pass", "payout", "payout_step"]


def test_the_command_plays_seeds_and_leaves_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = tmp_path / "simulate.json"
    given = ["--world", "ledger", "--seeds", "2", "--steps", "20", "--processes", "1"]
    assert main([*given, "--result", str(result)]) == 0
    assert "ledger: 2 of 2 seeds, 40 steps" in capsys.readouterr().out
    assert json.loads(result.read_text())["ledger"]["steps"] == 40
    assert main(["--world", "ledger", "--seed", "2", "--steps", "20"]) == 0
    assert "seed 2: 20 steps, every rule holds" in capsys.readouterr().out
