"""`make demo`. Writes `.run/demo.json`: `{"ok", "steps": [{"name", "ok", "seconds"}]}`."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from devstack.demo import books, buying, giving_back, payouts, people, scenes
from devstack.demo.scenes import Stage
from devstack.part import PartFailed
from devstack.ports import NoFreePort
from devstack.running import running_stack
from devstack.stack import Stack, StackFailed, settings_from
from infra.settings import Settings

STACK_STARTS = "The stack starts"
SCENES: tuple[tuple[str, Callable[[Stage], Awaitable[str]]], ...] = (
    ("Mia, Tom and Sam register; Mia becomes a creator", people.come_and_apply),
    ("Mia uploads a video and two photos, straight to storage", scenes.upload_and_watch),
    ("Mia posts, for subscribers and for sale", people.post_and_sell),
    (
        "Tom, who was given a right, plays the video; Sam, who has none, can't",
        scenes.play_as_viewers,
    ),
    ("Tom's right ends, and with it playback", scenes.revoke_and_refuse),
    ("An infected file and a decompression bomb are refused", scenes.refuse_bad_files),
    ("A media worker is killed in the middle of a transcode", scenes.kill_a_worker),
    ("Mia deletes a photo everywhere", scenes.delete_everything),
    ("Mia sells a month and a picture", buying.open_shop),
    ("Tom subscribes, and his bank asks him first", buying.subscribe),
    ("Sam's card is declined", buying.be_declined),
    ("With another card Sam buys the picture, and tips", buying.buy_and_tip),
    ("Mia is paid out", payouts.pay_out),
    ("Sam gets his money back, and loses the picture", giving_back.refund),
    ("A purchase is disputed, and the dispute lost", giving_back.dispute),
    ("Our books, and Stripe's", books.compare),
)


@dataclass(frozen=True)
class Step:
    name: str
    ok: bool
    seconds: float
    said: str = ""


class Tale:
    """The steps so far; stops at the first that fails."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.steps: list[Step] = []

    @property
    def ok(self) -> bool:
        return bool(self.steps) and all(step.ok for step in self.steps)

    async def tell(self, name: str, scene: Callable[[], Awaitable[str]]) -> bool:
        """Run one scene; a failure is told, and ends the tale."""
        self._console.print(f"\n[bold]{len(self.steps) + 1}. {name}[/]")
        started = time.monotonic()
        try:
            said, ok = await scene(), True
        except scenes.SceneFailed as error:
            said, ok = str(error), False
        except Exception as error:  # Whatever else goes wrong is the demo's to tell, too.
            said, ok = f"{type(error).__name__}: {error}", False
            self._console.print_exception(max_frames=4)
        seconds = time.monotonic() - started
        self.steps.append(Step(name, ok, round(seconds, 2), said))
        mark = "[green]✓[/]" if ok else "[red]✗[/]"
        self._console.print(f"  {mark} {said} [dim]({seconds:.1f} s)[/]")
        return ok


async def play(tale: Tale, stage: Stage) -> None:
    for name, scene in SCENES:
        if not await tale.tell(name, lambda scene=scene: scene(stage)):  # type: ignore[misc]
            return


def make_stage(stack: Stack, settings: Settings, console: Console, folder: Path) -> Stage:
    return Stage(
        stack=stack,
        settings=settings,
        console=console,
        folder=folder,
    )


def show_summary(console: Console, stage: Stage) -> None:
    table = Table("media", "outcome", title="What happened")
    for title, outcome, _ in stage.outcomes:
        table.add_row(title, outcome)
    console.print()
    console.print(table)
    console.print("Runs in the Temporal UI:")
    namespace = stage.settings.temporal_namespace
    for title, _, media_id in stage.outcomes:
        link = f"{stage.settings.temporal_ui_url}/namespaces/{namespace}/workflows"
        console.print(f"  {title}: {link}/ingest:{media_id}", soft_wrap=True)


def run(run_dir: Path, console: Console, tale: Tale) -> None:
    """Start what is missing, play every scene, stop what was started.

    Raises:
        StackFailed, PartFailed, NoFreePort: the stack can't be started.
    """
    console.print(f"[bold]1. {STACK_STARTS}[/]")
    started = time.monotonic()
    with running_stack(run_dir, console) as (stack, environment):
        tale.steps.append(Step(STACK_STARTS, True, round(time.monotonic() - started, 2)))
        settings = settings_from(environment)
        with tempfile.TemporaryDirectory() as folder:
            stage = make_stage(stack, settings, console, Path(folder))
            asyncio.run(play(tale, stage))
        show_summary(console, stage)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--run-dir", type=Path, default=Path(".run"))
    options = parser.parse_args(arguments)
    console = Console()
    tale = Tale(console)
    started = time.monotonic()
    try:
        run(options.run_dir, console, tale)
    except (StackFailed, PartFailed, NoFreePort) as error:
        seconds = round(time.monotonic() - started, 2)
        tale.steps.append(Step(STACK_STARTS, False, seconds, str(error)))
        console.print(f"  [red]✗[/] {error}", highlight=False)
    target = options.run_dir / "demo.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    report = {"ok": tale.ok, "steps": [asdict(step) for step in tale.steps]}
    target.write_text(json.dumps(report, indent=1) + "\n")
    seconds = time.monotonic() - started
    console.print(f"\n{'All well' if tale.ok else 'It failed'} after {seconds:.0f} s; see {target}")
    if tale.ok:
        console.print("The links work while the stack runs: `make up` starts it and leaves it on.")
    return 0 if tale.ok else 1


if __name__ == "__main__":
    sys.exit(main())
