from __future__ import annotations

import json
from pathlib import Path

import pytest

from simulation.playing import CRASHED, play, replay, shrunk
from simulation.run import simulate, told, write
from simulation.worlds import Step
from tests.unit.simulation.toy import ToyScene, broken_scene, leaky_scene, sound_scene

LEAKY, SOUND = ToyScene(leaky=True), ToyScene(leaky=False)


def test_a_planted_bug_is_found_and_shrunk_to_its_cause() -> None:
    failed = next(each for seed in range(50) if (each := play(LEAKY, seed, 150)).broken)
    short = shrunk(LEAKY, failed)
    assert short.broken is not None and short.broken.rule == "no money is lost"
    *takes, die, move = [step.act for step in short.steps]
    assert (set(takes), die, move) == ({"take"}, "die", "move")
    assert len(short.steps) <= 4


def test_without_the_bug_no_rule_breaks() -> None:
    assert not any(play(SOUND, seed, 150).broken for seed in range(20))


def test_a_seed_gives_the_same_history_again() -> None:
    first, again = play(SOUND, 7, 100), play(SOUND, 7, 100)
    assert first == again
    assert replay(SOUND, 7, first.steps).digest == first.digest
    assert play(SOUND, 8, 100).digest != first.digest


def test_a_crash_breaks_a_rule_too() -> None:
    failed = replay(SOUND, 1, [Step("take", {"amount": 3}), Step("crash"), Step("die")])
    assert failed.broken is not None and failed.broken.rule == f"{CRASHED}: ValueError"
    assert "ValueError: crashed" in failed.broken.facts
    assert [str(step) for step in shrunk(SOUND, failed).steps] == ["crash"]


def test_seeds_are_spread_over_processes_and_counted(tmp_path: Path) -> None:
    seen: list[int] = []
    result = simulate(
        sound_scene, range(8), 50, processes=2, report=lambda so_far: seen.append(so_far.seeds)
    )
    assert seen == list(range(1, 9))
    assert (result.seeds, result.steps, result.failures) == (8, 400, [])
    assert sum(result.counts.values()) == 400
    write({"toy": result}, tmp_path / "deep" / "simulate.json")
    written = json.loads((tmp_path / "deep" / "simulate.json").read_text())
    assert written["toy"]["counts"]["take"] == result.counts["take"]


def test_a_failing_seed_ends_the_simulation_and_is_told_with_its_history() -> None:
    result = simulate(leaky_scene, range(200), 150, processes=2)
    [failed] = result.failures
    assert result.seeds < 200
    assert len(failed.steps) <= 4
    text = told(failed)
    assert f"make simulate SEED={failed.seed}" in text
    assert "no money is lost" in text
    assert "move amount=" in text
    assert result.facts()["failures"][0]["history"][-1]["act"] == "move"


def test_a_process_that_ends_is_noticed() -> None:
    with pytest.raises(RuntimeError, match="player-0 ended with 3"):
        simulate(broken_scene, range(3), 10, processes=1)


def test_a_seed_that_holds_is_told_in_one_line() -> None:
    assert told(play(SOUND, 3, 10)) == "seed 3: 10 steps, every rule holds"
