"""Many seeds over several processes, until one fails; and what to say of it."""

from __future__ import annotations

import json
import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.queues import Queue, SimpleQueue
from pathlib import Path
from queue import Empty
from typing import Any

from simulation.playing import Outcome, play, shrunk
from simulation.worlds import OpenScene

NO_MORE = -1


@dataclass
class Result:
    """Of a whole simulation."""

    seeds: int = 0
    steps: int = 0
    seconds: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[Outcome] = field(default_factory=list)
    """Shrunk."""

    def add(self, outcome: Outcome) -> None:
        self.seeds += 1
        self.steps += len(outcome.steps)
        self.counts.update(outcome.counts)
        if outcome.broken is not None:
            self.failures.append(outcome)

    def summary(self) -> dict[str, int]:
        """What a simulation is for, of all its seeds: how much was done, how much was done to it,
        and by how many minor units the ledger and Stripe differ in the end."""
        return {
            "charges": self._sum("charges "),
            "faults_injected": self._sum(
                *("stripe: ", "temporal: ", "webhooks lost", "webhooks unheard", "fault: cut")
            ),
            "kills": self._sum("deaths "),
            "duplicates": self._sum(
                *("webhooks heard twice", "webhooks unanswered", "again ", "fault: twice")
            ),
            "drift_minor": self.counts["drift_minor"],
        }

    def _sum(self, *beginnings: str) -> int:
        return sum(count for name, count in self.counts.items() if name.startswith(beginnings))

    def facts(self) -> dict[str, Any]:
        """As JSON takes them."""
        return {
            "seeds": self.seeds,
            "steps": self.steps,
            "seconds": round(self.seconds, 1),
            **self.summary(),
            "counts": dict(sorted(self.counts.items())),
            "failures": [
                {
                    "seed": each.seed,
                    "rule": each.broken.rule if each.broken else "",
                    "facts": each.broken.facts if each.broken else "",
                    "history": [{"act": step.act, **step.data} for step in each.steps],
                }
                for each in self.failures
            ],
        }


def simulate(
    open_scene: OpenScene,
    seeds: Sequence[int],
    steps: int,
    *,
    processes: int,
    report: Callable[[Result], None] = lambda _result: None,
) -> Result:
    """Play every seed; after the first that fails no new one is begun.

    Raises:
        RuntimeError: a process ended before its work.
    """
    began = time.monotonic()
    result = Result()
    with _players(open_scene, seeds, steps, min(processes, len(seeds))) as outcomes:
        for outcome in outcomes:
            result.add(outcome)
            result.seconds = time.monotonic() - began
            report(result)
    return result


@contextmanager
def _players(
    open_scene: OpenScene, seeds: Sequence[int], steps: int, processes: int
) -> Iterator[Iterator[Outcome]]:
    # Spawned, not forked: a fork would share connections, and threads that are not there.
    context = multiprocessing.get_context("spawn")
    todo: SimpleQueue[int] = context.SimpleQueue()
    done: Queue[Outcome | None] = context.Queue()
    players = [
        context.Process(
            target=_play_all, args=(open_scene, number, steps, todo, done), name=f"player-{number}"
        )
        for number in range(processes)
    ]
    for seed in [*seeds, *([NO_MORE] * processes)]:
        todo.put(seed)
    for player in players:
        player.start()
    try:
        yield _outcomes(done, players)
    finally:
        for player in players:
            player.terminate()
            player.join()


def _outcomes(
    done: Queue[Outcome | None], players: Sequence[multiprocessing.process.BaseProcess]
) -> Iterator[Outcome]:
    left = len(players)
    while left:
        try:
            outcome = done.get(timeout=1)
        except Empty:
            dead = [each for each in players if each.exitcode not in (None, 0)]
            if dead:
                raise RuntimeError(f"{dead[0].name} ended with {dead[0].exitcode}") from None
            continue
        if outcome is None:
            left -= 1
        else:
            yield outcome
            if outcome.broken is not None:
                return


def _play_all(
    open_scene: OpenScene,
    number: int,
    steps: int,
    todo: SimpleQueue[int],
    done: Queue[Outcome | None],
) -> None:
    with open_scene(number) as scene:
        while (seed := todo.get()) != NO_MORE:
            outcome = play(scene, seed, steps)
            if outcome.broken is not None:
                outcome = shrunk(scene, outcome)
            done.put(outcome)
    done.put(None)


def told(outcome: Outcome) -> str:
    """A failure in words: the rule, the facts, the history, how to repeat it."""
    if outcome.broken is None:
        return f"seed {outcome.seed}: {len(outcome.steps)} steps, every rule holds"
    lines = [
        f"seed {outcome.seed} breaks the rule: {outcome.broken.rule}",
        *(f"  {line}" for line in outcome.broken.facts.splitlines()),
        f"after {len(outcome.steps)} steps, of which none can be left out:",
        *(f"  {number:3} {step}" for number, step in enumerate(outcome.steps, start=1)),
        f"repeat it: make simulate SEED={outcome.seed}",
    ]
    return "\n".join(lines)


def write(results: Mapping[str, Result], path: Path) -> None:
    """Keep the results of the worlds that were played, by their names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = {world: result.facts() for world, result in results.items()}
    path.write_text(json.dumps(facts, indent=2) + "\n")
