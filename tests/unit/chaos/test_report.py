"""What is written, and when it is well."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from chaos.outcome import Outcome
from chaos.report import write

WELL = Outcome("kill-api", ["mail", "media"], 3, 0, 0, 1.5)


def test_only_what_was_answered_and_neither_lost_nor_doubled_is_well() -> None:
    assert WELL.is_well
    assert not replace(WELL, lost=1).is_well
    assert not replace(WELL, doubled=1).is_well
    assert not replace(WELL, unanswered=["POST /uploads"]).is_well
    assert not replace(WELL, acknowledged=0).is_well, "nothing was put to the test"


def test_each_row_says_what_was_asked_of_it(tmp_path: Path) -> None:
    target = tmp_path / "chaos.json"
    write([WELL], target)
    [row] = json.loads(target.read_text())
    asked = ("fault", "work", "acknowledged", "lost", "doubled", "recovery_seconds")
    assert {name: row[name] for name in asked} == {
        "fault": "kill-api",
        "work": "mail, media",
        "acknowledged": 3,
        "lost": 0,
        "doubled": 0,
        "recovery_seconds": 1.5,
    }
