"""python -m chaos: break one thing after the other under work of every kind.

python -m chaos --fault kill-postgres --family unlocks --family mail
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from chaos.families import FAMILIES
from chaos.faults import FAULTS, Fault
from chaos.outcome import Outcome
from chaos.report import table_of, tell, write
from chaos.rounds import Known, play
from chaos.scene import open_stage
from devstack.part import PartFailed
from devstack.ports import NoFreePort
from devstack.stack import ROOT, StackFailed

RUN_DIR = ROOT / ".run"


def main(arguments: Sequence[str] | None = None, *, faults: Mapping[str, Fault] = FAULTS) -> int:
    """Exit code 0: nothing was lost, and nothing done twice.

    Args:
        faults: those that `--fault` may name, all of them where it names none.
    """
    given = _parser(faults).parse_args(arguments)
    console = Console()
    outcomes: list[Outcome] = []
    try:
        asyncio.run(_play_all(given, faults, console, outcomes))
    except (StackFailed, PartFailed, NoFreePort) as error:
        console.print(f"[red]✗[/] {error}", highlight=False)
        return 2
    finally:
        write(outcomes, given.result)
    console.print(table_of(outcomes))
    unwell = [outcome.fault for outcome in outcomes if not outcome.is_well]
    console.print(f"Not well: {', '.join(unwell)}" if unwell else "Nothing lost, nothing doubled")
    return 1 if unwell or not outcomes else 0


async def _play_all(
    given: argparse.Namespace,
    faults: Mapping[str, Fault],
    console: Console,
    outcomes: list[Outcome],
) -> None:
    names = given.family or list(FAMILIES)
    known = Known()
    async with open_stage(given.run_dir, console) as stage:
        for number, name in enumerate(given.fault or faults, start=1):
            fault = faults[name]
            console.print(f"\n[bold]{number}. {fault.name}[/]: {fault.what}", highlight=False)
            outcome = await play(stage, fault, names, seed=given.seed, number=number, known=known)
            outcomes.append(outcome)
            tell(console, outcome)


def _parser(faults: Mapping[str, Fault]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="chaos", description="Break things, and look.")
    parser.add_argument("--fault", action="append", choices=list(faults), help="default: each")
    parser.add_argument("--family", action="append", choices=list(FAMILIES), help="default: all")
    parser.add_argument("--seed", type=int, default=1, help="of when work begins (default: 1)")
    parser.add_argument("--run-dir", type=Path, default=RUN_DIR / "chaos")
    parser.add_argument("--result", type=Path, default=RUN_DIR / "chaos.json")
    return parser


if __name__ == "__main__":
    sys.exit(main())
