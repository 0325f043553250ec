"""`python -m benchmarks.pages`: the newest results, put into `docs/performance.md`.

Between pairs of comments there stands what is made of the files in `results/`, and beside the page
a plot; tests hold all of them together.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.growth_points import Point, curves, exponent
from benchmarks.kept import RESULTS, kept
from benchmarks.losses import Losses
from benchmarks.plot import PLOT, plot
from benchmarks.result import Result

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
NOTHING_YET = "Nothing has been measured yet."


def measured(name: str) -> tuple[str, str]:
    """The two comments of a block."""
    return f"<!-- {name}: python -m benchmarks.pages -->", f"<!-- /{name} -->"


def ratios(results: Sequence[Result], machine: Mapping[str, Any]) -> str:
    """One row a comparison, and what it was measured on."""
    rows = [
        f"| {each.name} | {each.ours:g} {each.unit} | {each.peer:g} {each.unit} "
        f"| {each.ratio:.2f}× ({each.spread[0]:.2f}–{each.spread[1]:.2f}) "
        f"| {each.goal} | {'yes' if each.met else 'no'} |"
        for each in results
    ]
    return "\n".join(
        [
            "| comparison | ours | peer | ratio (spread) | goal | met |",
            "| --- | --- | --- | --- | --- | --- |",
            *rows,
            "",
            f"On {machine['cpus']} cores of {machine['machine']}, Python {machine['python']}.",
        ]
    )


def losses(counted: Sequence[Losses]) -> str:
    """One row a side."""
    names = ("acknowledged", "done", "lost", "held_back", "again", "doubled")
    rows = [
        f"| {each.side} | {each.kills} | "
        + " | ".join(str(getattr(each, name)) for name in names)
        + f" | {each.seconds:.0f} s |"
        for each in counted
    ]
    return "\n".join(
        [
            "| side | kills | acknowledged | done | lost | held back | steps begun again "
            "| doubled | until the last one |",
            "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
            *rows,
        ]
    )


def growth(points: Sequence[Point], of: str) -> str:
    """One row a figure, one column a size, and the k of the n^k that fits."""
    found = curves(points, of)
    sizes = sorted({each.size for each in points if each.of == of})
    head = " | ".join(f"{size:,}" for size in sizes)
    lines = [f"| figure | {head} | grows as |", "| --- |" + " --- |" * (len(sizes) + 1)]
    for what, curve in found.items():
        cells = {each.size: f"{each.median:.3g} {each.unit}" for each in curve}
        row = " | ".join(cells.get(size, "") for size in sizes)
        lines.append(f"| {what} | {row} | n^{exponent(curve):.2f} |")
    notes = dict.fromkeys(each.note for each in points if each.of == of and each.note)
    return "\n".join([*lines, *(f"\n{note}" for note in notes)])


def reckoned(points: Sequence[Point], *, runs: int = 100_000) -> str:
    """What was measured of open runs, and what so many would come to if all cost as much."""
    lines = [f"| figure | measured | × {runs:,} (reckoned) |", "| --- | --- | --- |"]
    for each in points:
        if each.of == "runs":
            whole = _large(each.median * runs, each.unit)
            lines.append(f"| {each.what} | {each.median:,.3g} {each.unit} | {whole} |")
    return "\n".join(lines)


def _large(value: float, unit: str) -> str:
    return f"{value / 1e9:.2g} GB" if unit == "bytes" else f"{value / 60_000:.2g} min"


def newest_blocks(folder: Path = RESULTS) -> dict[str, str]:
    """The text of each block; a sentence where nothing was measured."""
    points = [Point.from_json(each) for each in kept("growth", folder=folder)]
    counted = [Losses(**each) for each in kept("losses", folder=folder)]
    return {
        "measured": newest_ratios(folder),
        "losses": losses(counted) if counted else NOTHING_YET,
        "media": growth(points, "media") if points else NOTHING_YET,
        "subscriptions": growth(points, "subscriptions") if points else NOTHING_YET,
        "runs": reckoned(points) if points else NOTHING_YET,
    }


def newest_ratios(folder: Path = RESULTS) -> str:
    latest = folder / "latest.json"
    if not latest.exists():
        return NOTHING_YET
    found = [
        Result(**each | {"spread": tuple(each["spread"])})
        for each in json.loads(latest.read_text())
    ]
    return ratios(found, json.loads((folder / "machine.json").read_text()))


def with_block(text: str, name: str, body: str) -> str:
    """`text` with the block between its two comments.

    Raises:
        ValueError: the comments are not there.
    """
    begin, end = measured(name)
    block = re.compile(f"{re.escape(begin)}\n.*?{re.escape(end)}", re.DOTALL)
    if not block.search(text):
        raise ValueError(f"no {begin} … {end}")
    return block.sub(lambda _: f"{begin}\n{body}\n{end}", text)


def with_newest(text: str, folder: Path = RESULTS) -> str:
    for name, body in newest_blocks(folder).items():
        text = with_block(text, name, body)
    return text


def newest_plot(folder: Path = RESULTS) -> str:
    return plot([Point.from_json(each) for each in kept("growth", folder=folder)])


def write_page() -> None:
    PAGE.write_text(with_newest(PAGE.read_text()))
    if kept("growth"):
        PLOT.write_text(newest_plot())


def main() -> int:
    write_page()
    print(newest_ratios())
    return 0


if __name__ == "__main__":
    sys.exit(main())
