"""python -m simulation: play worlds under chance, and say of which seed a rule breaks.

python -m simulation --seeds 200 --steps 150
python -m simulation --world ledger --seed 17      # one seed again, step by step
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Protocol

from devstack.stack import ROOT
from simulation.database import own_postgres
from simulation.ledger.scene import open_ledger
from simulation.money.scene import open_money
from simulation.playing import play, shrunk
from simulation.run import Result, simulate, told, write
from simulation.worlds import Scene


class OpenScene(Protocol):
    def __call__(
        self, environment: Mapping[str, str], number: int
    ) -> AbstractContextManager[Scene]: ...


WORLDS: dict[str, OpenScene] = {"money": open_money, "ledger": open_ledger}
RUN_DIR = ROOT / ".run"


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    results: dict[str, Result] = {}
    failed = False
    # A directory of its own, so that two simulations at once don't end each other's server.
    with own_postgres(RUN_DIR / f"simulation-{os.getpid()}") as environment:
        for world in [given.world] if given.world else WORLDS:
            open_scene = partial(WORLDS[world], environment)
            if given.seed is not None:
                failed |= _play_one(open_scene, given.seed, given.steps)
            else:
                results[world] = _play_many(world, open_scene, given)
                write(results, given.result)
                failed |= bool(results[world].failures)
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="simulation", description="Play worlds under chance.")
    parser.add_argument("--world", choices=list(WORLDS), help="default: each of them")
    parser.add_argument("--seeds", type=int, default=200, help="how many (default: 200)")
    parser.add_argument("--first", type=int, default=1, help="the first of them (default: 1)")
    parser.add_argument("--steps", type=int, default=150, help="of each seed (default: 150)")
    parser.add_argument("--seed", type=int, help="this one alone, told step by step")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--result", type=Path, default=RUN_DIR / "simulate.json", help="where the counts go"
    )
    return parser


def _play_one(open_scene: partial[AbstractContextManager[Scene]], seed: int, steps: int) -> bool:
    with open_scene(0) as scene:
        outcome = play(scene, seed, steps)
        for number, step in enumerate(outcome.steps, start=1):
            print(f"{number:4} {step}")
        if outcome.broken is not None:
            print(told(outcome).splitlines()[0], "\nshrinking its history …")
            outcome = shrunk(scene, outcome)
    print(told(outcome))
    return outcome.broken is not None


def _play_many(
    world: str, open_scene: partial[AbstractContextManager[Scene]], given: argparse.Namespace
) -> Result:
    seeds = range(given.first, given.first + given.seeds)

    def report(result: Result) -> None:
        if sys.stdout.isatty():
            print(f"\r{_line(world, result, len(seeds))}", end="", flush=True)

    result = simulate(open_scene, seeds, given.steps, processes=given.processes, report=report)
    print(f"\r{_line(world, result, len(seeds))}")
    print(
        ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in result.summary().items())
    )
    print(", ".join(f"{name} {count}" for name, count in sorted(result.counts.items())))
    for failure in result.failures:
        print(f"\n{told(failure)} WORLD={world}")
    return result


def _line(world: str, result: Result, of: int) -> str:
    pace = 1000 * result.seconds / max(result.steps, 1)
    return (
        f"{world}: {result.seeds} of {of} seeds, {result.steps} steps in {result.seconds:.0f} s"
        f" ({pace:.1f} ms a step)"
    )


if __name__ == "__main__":
    sys.exit(main())
