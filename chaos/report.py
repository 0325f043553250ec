"""The table, what was lost, and `.run/chaos.json`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from chaos.faults.fault import Fault
from chaos.outcome import Outcome


def table_of(outcomes: Sequence[Outcome], *, under_way: str = "") -> Table:
    """One line a fault, and one for that which is being played."""
    table = Table(title="What came of it")
    table.add_column("fault", no_wrap=True)
    for column in ("work", "lost", "doubled", "operator", "API back", "recovered"):
        table.add_column(column, justify="right")
    for each in outcomes:
        table.add_row(
            each.fault,
            str(each.acknowledged),
            _counted(each.lost),
            _counted(each.doubled),
            str(each.operator or ""),
            f"{each.api_seconds:.1f} s",
            f"{each.recovery_seconds:.1f} s",
        )
    if under_way:
        table.add_row(under_way, *("…",) * (len(table.columns) - 1))
    return table


def _counted(count: int) -> str:
    return f"[red]{count}[/]" if count else "[green]0[/]"


def tell(console: Console, fault: Fault, outcome: Outcome) -> None:
    """One line when all is well, and each fact otherwise."""
    console.print(f"\n[bold]{fault.name}[/]: {fault.what}", highlight=False)
    mark = "[green]✓[/]" if outcome.is_well else "[red]✗[/]"
    console.print(
        f"  {mark} {outcome.acknowledged} acknowledged, {outcome.lost} lost, "
        f"{outcome.doubled} doubled; recovered after {outcome.recovery_seconds:.1f} s",
        highlight=False,
    )
    for title, facts in (
        ("lost", outcome.lost_work),
        ("doubled", outcome.doubled_work),
        ("no answer", outcome.unanswered),
        ("note", outcome.notes),
    ):
        for fact in facts:
            console.print(f"    {title}: {fact}", markup=False, highlight=False, soft_wrap=True)


def write(outcomes: Sequence[Outcome], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    rows = [{**asdict(each), "work": ", ".join(each.work)} for each in outcomes]
    target.write_text(json.dumps(rows, indent=1) + "\n")
