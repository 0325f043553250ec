"""Runs on a terminal, as tables, or as JSON for machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ops.runs import Run, RunDetails

RUNBOOK = "docs/operations.md#runbook"
SILENT = "no worker answers"


def show_runs(runs: Sequence[Run], *, as_json: bool, is_cut: bool) -> None:
    if as_json:
        print(orjson.dumps([_as_json(run) for run in runs]).decode())
        return
    console = Console(highlight=False)
    if not runs:
        console.print("Nothing waits for an operator.")
        return
    table = Table("run", "kind", "step", "reason", "begun")
    for run in runs:
        table.add_row(
            escape(run.workflow_id), run.kind, _steps(run), _reasons(run), _ago(run.begun)
        )
    console.print(table)
    if is_cut:
        console.print("There may be more: raise --limit.")
    if any(run.needs_attention for run in runs):
        console.print(f"What to do about a reason: {RUNBOOK}")


def show_details(details: RunDetails, *, as_json: bool, ui_url: str | None) -> None:
    if as_json:
        told = {**asdict(details), "ui_url": ui_url}
        print(orjson.dumps(told, default=str).decode())
        return
    console = Console(highlight=False, soft_wrap=True)
    run = details.run
    facts = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    facts.add_row("run", escape(run.workflow_id))
    facts.add_row("is", escape(details.summary))
    facts.add_row("state", f"{run.status}, begun {_ago(run.begun)}")
    facts.add_row("history", f"{details.history_events} events, run id {details.run_id}")
    for name, value in sorted(details.attributes.items()):
        facts.add_row(name, escape(value))
    if ui_url is not None:
        facts.add_row("in the UI", escape(ui_url))
    console.print(facts)
    _show_blocked(console, run)
    _show_pending(console, details)
    for number, given in enumerate(details.inputs, start=1):
        console.print(f"\ninput {number}: {escape(given)}")


def _show_blocked(console: Console, run: Run) -> None:
    if run.needs_attention and run.blocked is None:
        console.print(f"\nIt waits for an operator; {SILENT}, so the reason can't be said.")
    for blocked in run.blocked or ():
        console.print(f"\n{blocked.step} waits for an operator: {escape(blocked.reason)}")
        console.print(f"  last cause: {escape(blocked.cause)}")
        console.print(f"  what to do: {RUNBOOK}, row {escape(blocked.reason)}")
        console.print(f"  then:       python -m ops retry {escape(run.workflow_id)}")
        if blocked.skippable:
            console.print(f"  or:         python -m ops skip {escape(run.workflow_id)}")
            console.print(f"              {escape(blocked.consequence)}")


def _show_pending(console: Console, details: RunDetails) -> None:
    if not details.pending:
        return
    table = Table("step under way", "state", "attempt", "last failure", title_justify="left")
    for step in details.pending:
        most = f" of {step.attempts_max}" if step.attempts_max else ""
        table.add_row(step.name, step.state, f"{step.attempt}{most}", escape(step.last_failure))
    console.print()
    console.print(table)


def _as_json(run: Run) -> dict[str, object]:
    return {**asdict(run), "reasons": run.reasons}


def _steps(run: Run) -> str:
    return ", ".join(each.step for each in run.blocked or ()) or run.step


def _reasons(run: Run) -> str:
    if run.needs_attention and run.blocked is None:
        return SILENT
    return escape(", ".join(run.reasons))


def _ago(moment: datetime) -> str:
    seconds = int((datetime.now(UTC) - moment).total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"
