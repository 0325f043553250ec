"""What recorded histories must not hold."""

from __future__ import annotations

from pathlib import Path

import pytest

HISTORIES = sorted(Path(__file__).parent.glob("*/histories/*.json"))


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_a_history_does_not_say_where_code_lay_on_its_machine(path: Path) -> None:
    assert 'File \\"/' not in path.read_text()
