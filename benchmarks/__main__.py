"""`make bench`: every comparison in one run, as a table and as JSON.

Writes `benchmarks/results/latest.json`: `[{name, ours, peer, ratio, unit, goal, met, …}]`, and,
where every suite was run, the table of the README.
Exits non-zero when a comparison could not be run; a goal that was missed is told, not hidden.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import images, ingest, video
from benchmarks.result import Result
from benchmarks.table import write_table

RESULTS = Path(__file__).parent / "results"
SUITES: dict[str, Callable[[int], Sequence[Result]]] = {
    "images": images.run,
    "video": video.run,
    "ingest": ingest.run,
}


def show(console: Console, results: Sequence[Result]) -> None:
    table = Table("comparison", "ours", "peer", "unit", "ratio", "spread", "goal", "met")
    for result in results:
        table.add_row(
            result.name,
            f"{result.ours:g}",
            f"{result.peer:g}",
            result.unit,
            f"{result.ratio:.2f}×",
            f"{result.spread[0]:.2f}–{result.spread[1]:.2f}",
            result.goal,
            "[green]yes[/]" if result.met else "[red]no[/]",
        )
    console.print(table)
    for result in results:
        if result.note:
            console.print(f"{result.name}: {result.note}", style="dim")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=sorted(SUITES), action="append")
    options = parser.parse_args(arguments)
    console = Console()
    results: list[Result] = []
    for name in options.only or SUITES:
        with console.status(f"measuring {name} …"):
            results += SUITES[name](options.rounds)
    show(console, results)
    RESULTS.mkdir(exist_ok=True)
    target = RESULTS / "latest.json"
    target.write_text(json.dumps([result.as_json() for result in results], indent=1) + "\n")
    machine = {
        "cpus": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
    }
    (RESULTS / "machine.json").write_text(json.dumps(machine, indent=1) + "\n")
    if not options.only:
        write_table()
    console.print(f"{sum(result.met for result in results)} of {len(results)} goals met; {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
