"""What a rule that does not hold looks like."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

SHOWN = 5


@dataclass(frozen=True)
class Break:
    """A rule that does not hold."""

    rule: str
    """Its name. A history is shrunk to one that breaks the same rule."""
    facts: str


def listed(rows: Iterable[Any]) -> str:
    return "\n".join(str(row) for row in list(rows)[:SHOWN])


def broken_among(session: Session, rules: Mapping[str, str]) -> list[Break]:
    """Of rules that are queries, each of which finds the rows that break it."""
    found = []
    for rule, query in rules.items():
        rows = session.execute(text(query)).all()
        if rows:
            found.append(Break(rule, listed(tuple(row) for row in rows)))
    return found
