"""What the chaos run asks of the database it has broken: again, and not for ever."""

from __future__ import annotations

import time
from dataclasses import fields
from typing import Any
from unittest.mock import Mock

import pytest
from sqlalchemy import create_engine

from chaos.asking import Unanswered
from chaos.stage import Stage

DISCARD_PORT = 9
"""Nobody listens there."""


async def test_a_database_that_is_away_is_asked_again_until_patience_is_over() -> None:
    engine = create_engine(f"postgresql+psycopg://nobody@127.0.0.1:{DISCARD_PORT}/none")
    rest: dict[str, Any] = {each.name: Mock() for each in fields(Stage)} | {"engine": engine}
    stage = Stage(**rest)
    begun = time.monotonic()
    with pytest.raises(Unanswered, match=r"database: .*[Cc]onnection refused"):
        await stage.rows("SELECT 1", patience_seconds=0.6)
    assert time.monotonic() - begun > 0.6
