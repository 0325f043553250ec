"""`python -m benchmarks.table`: the newest results as Markdown, put into the README.

Between two comments there stands what this module makes of `results/latest.json` and of the
machine beside it; a test holds the two together.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.result import Result

RESULTS = Path(__file__).parent / "results"
README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- measured: python -m benchmarks.table -->", "<!-- /measured -->"
NOTHING_YET = "Nothing has been measured yet."


def table(results: Sequence[Result], machine: Mapping[str, Any]) -> str:
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


def newest_table(folder: Path = RESULTS) -> str:
    """The table of the results in `folder`, or a sentence that there are none."""
    latest = folder / "latest.json"
    if not latest.exists():
        return NOTHING_YET
    results = [
        Result(**each | {"spread": tuple(each["spread"])})
        for each in json.loads(latest.read_text())
    ]
    return table(results, json.loads((folder / "machine.json").read_text()))


def with_table(text: str, measured: str) -> str:
    """`text` with the table between the two comments.

    Raises:
        ValueError: the comments are not there.
    """
    block = re.compile(f"{re.escape(BEGIN)}\n.*?{re.escape(END)}", re.DOTALL)
    if not block.search(text):
        raise ValueError(f"no {BEGIN} … {END}")
    return block.sub(lambda _: f"{BEGIN}\n{measured}\n{END}", text)


def write_table() -> None:
    README.write_text(with_table(README.read_text(), newest_table()))


def main() -> int:
    write_table()
    print(newest_table())
    return 0


if __name__ == "__main__":
    sys.exit(main())
