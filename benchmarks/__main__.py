"""`make bench`: every comparison in one run, as a table and as JSON.

A whole run writes `benchmarks/results/latest.json`:
`[{name, ours, peer, ratio, unit, goal, met, …}]`; one of single suites writes `partial.json`
beside it. Ends non-zero when a comparison could not be run; a missed goal is told, not hidden.
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

from benchmarks import backbone, growth, images, ingest, reads, unlocks, video
from benchmarks.kept import RESULTS, ROUNDS
from benchmarks.pages import write_page
from benchmarks.result import Result

WIDTH_WITHOUT_TERMINAL = 140
SUITES: dict[str, Callable[[int], Sequence[Result]]] = {
    "images": images.run,
    "video": video.run,
    "ingest": ingest.run,
    "reads": reads.run,
    "unlocks": unlocks.run,
    "backbone": backbone.run,
    "growth": growth.run,
}


def show(console: Console, results: Sequence[Result]) -> None:
    table = Table()
    for name in ("comparison", "ours", "peer", "unit", "ratio", "rounds", "goal", "met"):
        table.add_column(name, no_wrap=True)
    for result in results:
        table.add_row(
            result.name,
            _figure(result.ours),
            _figure(result.peer),
            result.unit,
            f"{result.ratio:.3f}×",
            f"{result.spread[0]:.2f}–{result.spread[1]:.2f}",
            result.goal,
            "[green]yes[/]" if result.met else "[red]no[/]",
        )
    console.print(table)
    for result in results:
        if result.note:
            console.print(f"{result.name}: {result.note}", style="dim", highlight=False)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def write(results: Sequence[Result], *, is_whole: bool, folder: Path = RESULTS) -> Path:
    """Keep what was measured; a part never takes the place of the whole."""
    folder.mkdir(exist_ok=True)
    target = folder / ("latest.json" if is_whole else "partial.json")
    target.write_text(json.dumps([result.as_json() for result in results], indent=1) + "\n")
    if is_whole:
        machine = {
            "cpus": os.cpu_count(),
            "machine": platform.machine(),
            "python": platform.python_version(),
        }
        (folder / "machine.json").write_text(json.dumps(machine, indent=1) + "\n")
    return target


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="make bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", choices=sorted(SUITES), action="append")
    options = parser.parse_args(arguments)
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH_WITHOUT_TERMINAL)
    results: list[Result] = []
    for name in options.only or SUITES:
        with console.status(f"measuring {name} …"):
            results += SUITES[name](options.rounds)
    show(console, results)
    is_whole = not options.only and options.rounds >= ROUNDS
    target = write(results, is_whole=is_whole)
    if is_whole:
        write_page()
    met = sum(result.met for result in results)
    console.print(f"{met} of {len(results)} goals met; {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
