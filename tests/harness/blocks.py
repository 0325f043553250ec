"""The commands of a page, run as a reader runs them: one shell, one block after the other.

- A ```` ```bash ```` block is a step.
- A ```` ```text ```` block right after a step is what it prints: each line stands in the output, in
  this order, and `…` is anything.
- `<!-- not run: why -->` right before a block leaves it out.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.harness.pages import Page

_BLOCK = re.compile(
    r"(?P<note><!-- not run: [^\n]+ -->\n)?^```bash\n(?P<code>.*?)^```$"
    r"(?:\n+^```text\n(?P<shown>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)
_MARK = "--- end of the step at line "


@dataclass(frozen=True)
class Step:
    """One block of commands."""

    line: int
    """Where its code begins in the page, from 1."""
    code: str
    shown: tuple[str, ...] = ()
    """What it prints, line by line."""


def steps_of(page: Page) -> list[Step]:
    """The page's steps in their order, less those that it says are not run."""
    return [
        Step(
            line=page.text.count("\n", 0, found.start("code")) + 1,
            code=found["code"],
            shown=tuple((found["shown"] or "").splitlines()),
        )
        for found in _BLOCK.finditer(page.text)
        if found["note"] is None
    ]


def run_steps(
    steps: Sequence[Step], *, folder: Path, environment: Mapping[str, str], seconds: float
) -> str:
    """Run the steps in one shell, so that what one sets holds in the next.

    Returns:
        What all of them printed.

    Raises:
        AssertionError: one ended with another status than 0, complained, or did not print what
            the page shows; it says which.
        subprocess.TimeoutExpired: they took longer than `seconds`.
    """
    script = "\n".join(f"{step.code}\necho\necho '{_MARK}{step.line}'" for step in steps)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    printed = done.stdout.split(f"\n{_MARK}")
    ended = len(printed) - 1
    if done.returncode != 0:
        raise AssertionError(
            f"the step at line {steps[ended].line} ended with {done.returncode}:\n"
            f"{printed[-1]}\n{done.stderr}"
        )
    assert done.stderr == "", f"something complained:\n{done.stderr}"
    assert ended == len(steps), f"only {ended} of {len(steps)} steps came to their end"
    for step, text in zip(steps, printed, strict=False):
        # Each text but the first begins with the rest of the mark before it.
        _check_shown(step, text.partition("\n")[2] if step is not steps[0] else text)
    return done.stdout


def _check_shown(step: Step, text: str) -> None:
    rest = text
    for line in step.shown:
        pattern = ".*".join(map(re.escape, line.strip().split("…")))
        found = re.search(pattern, rest)
        assert found is not None, (
            f"the step at line {step.line} does not print {line!r}; it prints:\n{text}"
        )
        rest = rest[found.end() :]
