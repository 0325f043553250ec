"""`make corpus DIR=…`: every file of a folder through the real stack, and a verdict for each.

Exits non-zero unless every file ended `ready`, or `rejected` with a reason. Writes
`.run/corpus.json`: `[{file, state, reason, seconds}]`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from devstack.client import ApiClient, FileToSend, Problem
from devstack.people import ensure_person
from devstack.running import running_stack
from devstack.stack import settings_from
from domain.accounts import Role
from domain.media.states import MediaState

FILES_AT_ONCE = 8
SECONDS_MAX = 900
"""For one file; what takes longer counts as lost."""
IGNORED = ("README.md",)


@dataclass(frozen=True)
class Verdict:
    """How one file ended. `reason` is the rejection's code, or what went wrong."""

    file: str
    state: str
    reason: str | None
    seconds: float

    @property
    def is_well(self) -> bool:
        ready = self.state == MediaState.READY
        return ready or (self.state == MediaState.REJECTED and bool(self.reason))


def files_below(folder: Path) -> list[Path]:
    """Every file, in a stable order; notes about the folder are none of its media."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in IGNORED)


async def ingest_all(client: ApiClient, folder: Path, progress: Progress) -> list[Verdict]:
    window = asyncio.Semaphore(FILES_AT_ONCE)
    paths = files_below(folder)
    whole = progress.add_task("all files", total=len(paths))

    async def one(path: Path) -> Verdict:
        name = str(path.relative_to(folder))
        async with window:
            bar = progress.add_task(name, total=100)
            started = time.monotonic()
            state, reason = await _ingest(client, path, progress, bar)
            progress.remove_task(bar)
            progress.advance(whole)
            return Verdict(name, state, reason, round(time.monotonic() - started, 2))

    return list(await asyncio.gather(*(one(path) for path in paths)))


async def _ingest(
    client: ApiClient, path: Path, progress: Progress, bar: TaskID
) -> tuple[str, str | None]:
    """State and reason. A refusal before the upload counts as `rejected` with its code."""
    try:
        async with asyncio.timeout(SECONDS_MAX):
            media_id = await client.upload(FileToSend.read(path), title=path.name)
            async for event in client.follow(media_id):
                progress.update(bar, completed=event["percent"])
                if event.get("needs_attention"):
                    return "stuck", f"{event['step']} needs attention"
            media = await client.media(media_id)
    except Problem as problem:
        refused = problem.status in (413, 415, 422)
        return ("rejected" if refused else "error"), problem.code
    except TimeoutError:
        return "stuck", f"no end within {SECONDS_MAX} s"
    rejection = media["manage"]["rejection"]
    return media["state"], rejection["code"] if rejection else None


def show(console: Console, verdicts: Sequence[Verdict]) -> None:
    table = Table("file", "state", "reason", "seconds")
    colours = {"ready": "green", "rejected": "yellow"}
    for verdict in verdicts:
        colour = colours.get(verdict.state, "red")
        table.add_row(
            verdict.file,
            f"[{colour}]{verdict.state}[/]",
            verdict.reason or "",
            f"{verdict.seconds:.1f}",
        )
    console.print(table)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make corpus DIR=…", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--run-dir", type=Path, default=Path(".run"))
    options = parser.parse_args(arguments)
    if not options.folder.is_dir():
        parser.error(f"{options.folder} is no folder; call: make corpus DIR=path/to/folder")
    console = Console()
    with running_stack(options.run_dir, console) as (_, environment):
        settings = settings_from(environment)
        person = ensure_person(settings, "corpus", Role.CREATOR)
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        ) as progress:
            verdicts = asyncio.run(_run(settings.api_public_url, person.token, options, progress))
    show(console, verdicts)
    target = options.run_dir / "corpus.json"
    target.write_text(json.dumps([asdict(verdict) for verdict in verdicts], indent=1) + "\n")
    unwell = [verdict for verdict in verdicts if not verdict.is_well]
    console.print(f"{len(verdicts)} files, {len(unwell)} without a proper end; see {target}")
    return 1 if unwell or not verdicts else 0


async def _run(
    base_url: str, token: str, options: argparse.Namespace, progress: Progress
) -> list[Verdict]:
    async with ApiClient(base_url, token) as client:
        return await ingest_all(client, options.folder, progress)


if __name__ == "__main__":
    sys.exit(main())
