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
from rich.live import Live

from chaos import afterwards
from chaos.families import FAMILIES
from chaos.faults import FAULTS
from chaos.faults.fault import Fault
from chaos.outcome import Outcome
from chaos.report import table_of, tell, write
from chaos.rounds import play_all
from chaos.scene import Setup, UnderWay, open_stage
from devstack.part import PartFailed
from devstack.ports import NoFreePort
from devstack.stack import ROOT, StackFailed

RUN_DIR = ROOT / ".run"


def main(
    arguments: Sequence[str] | None = None,
    *,
    faults: Mapping[str, Fault] = FAULTS,
    setup: Setup | None = None,
) -> int:
    """Exit code 0: nothing was lost, and nothing done twice. 1: something was. 2: no stack.

    Args:
        faults: those that `--fault` may name, all of them where it names none.
        setup: what it is played on; None: a stack of its own.
    """
    given = _parser(faults).parse_args(arguments)
    console = Console()
    outcomes: list[Outcome] = []
    try:
        asyncio.run(_play_all(given, faults, setup or Setup(), console, outcomes))
    except (StackFailed, PartFailed, NoFreePort, UnderWay) as error:
        console.print(f"[red]✗[/] {error}", highlight=False)
        return 2
    except KeyboardInterrupt:
        console.print("interrupted; what this command had started was stopped")
        return 130
    finally:
        write(outcomes, given.result)
    console.print(table_of(outcomes))
    unwell = [outcome.fault for outcome in outcomes if not outcome.is_well]
    console.print(f"Not well: {', '.join(unwell)}" if unwell else "Nothing lost, nothing doubled")
    return 1 if unwell or not outcomes else 0


async def _play_all(
    given: argparse.Namespace,
    faults: Mapping[str, Fault],
    setup: Setup,
    console: Console,
    outcomes: list[Outcome],
) -> None:
    names = given.family or list(FAMILIES)
    chosen = [faults[name] for name in given.fault or faults]
    with_money = any(FAMILIES[name].moves_money for name in names)
    async with open_stage(given.run_dir, console, setup, with_money=with_money) as stage:
        with Live(table_of(outcomes), console=console, transient=True) as shown:
            waiting = list(chosen)
            shown.update(table_of(outcomes, under_way=waiting[0].name))
            async for outcome in play_all(stage, chosen, names, seed=given.seed):
                outcomes.append(outcome)
                tell(console, waiting.pop(0), outcome)
                shown.update(table_of(outcomes, under_way=waiting[0].name if waiting else ""))
            if afterwards.NEEDED in names:
                shown.update(table_of(outcomes, under_way=afterwards.NAME))
                outcomes.append(await afterwards.look(stage))
                tell(console, afterwards.LATER, outcomes[-1])


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
