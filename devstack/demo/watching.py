"""Live progress of runs: a bar for each, and afterwards what each step took."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from devstack.client import ApiClient, JsonObject

UNDER_WAY = ("processing", "playable")


class StepClock:
    """Adds up how long a run was seen in each step."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._step: str | None = None
        self._since = clock()
        self.seconds: dict[str, float] = {}

    def enter(self, step: str | None) -> None:
        """From now on the run is in this step; None: in none."""
        now = self._clock()
        if self._step is not None:
            self.seconds[self._step] = self.seconds.get(self._step, 0.0) + now - self._since
        self._step, self._since = step, now

    def __str__(self) -> str:
        return " · ".join(f"{step} {seconds:.1f} s" for step, seconds in self.seconds.items())


async def watch(
    client: ApiClient, media_id: str, *, bars: Progress, title: str, clock: StepClock
) -> AsyncIterator[JsonObject]:
    """Follow a run to its end with a bar on the screen; yields each progress event."""
    bar = bars.add_task(title, total=100, step="uploaded")
    async for event in client.follow(media_id):
        step = event["step"] if event["state"] in UNDER_WAY else None
        clock.enter(step)
        bars.update(bar, completed=event["percent"], step=step or event["state"])
        yield event


def tell_steps(console: Console, clocks: Mapping[str, StepClock]) -> None:
    """A line for each run: its steps in order, with their seconds."""
    for title, clock in clocks.items():
        console.print(f"  [dim]{title}: {clock}[/]", highlight=False)


def progress_bars(console: Console) -> Progress:
    return Progress(
        TextColumn("  {task.description:<14}"),
        BarColumn(bar_width=30),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("[cyan]{task.fields[step]}"),
        TimeElapsedColumn(),
        console=console,
    )
