"""What a suite measures besides ratios, kept as JSON beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
ROUNDS = 5
"""Of a whole run; with fewer, what is measured is a part."""


def keep(
    name: str, rows: Sequence[Mapping[str, Any]], *, rounds: int, folder: Path = RESULTS
) -> Path:
    """Write `NAME.json`; measured in fewer rounds than a whole run has, `NAME-partial.json`."""
    folder.mkdir(exist_ok=True)
    target = folder / (f"{name}.json" if rounds >= ROUNDS else f"{name}-partial.json")
    target.write_text(json.dumps(list(rows), indent=1) + "\n")
    return target


def kept(name: str, *, folder: Path = RESULTS) -> list[dict[str, Any]]:
    """The rows of `NAME.json`; none where it was never measured."""
    path = folder / f"{name}.json"
    return list(json.loads(path.read_text())) if path.exists() else []
