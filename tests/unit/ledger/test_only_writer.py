"""Only `infra/queries/ledger` writes the ledger's tables."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.models import ledger
from infra.models.base import Base

ROOT = Path(__file__).resolve().parents[3]
LAYERS = ("domain", "workflows", "activities", "infra", "api", "devstack", "benchmarks")
WRITER = ROOT / "infra" / "queries" / "ledger"
MIGRATIONS = ROOT / "infra" / "migrations"
BULK = ROOT / "benchmarks" / "growth_rows.py"
"""Makes a hundred thousand at once, to measure what asks about them."""
MODELS = {
    name: made.__tablename__
    for name, made in vars(ledger).items()
    if isinstance(made, type) and issubclass(made, Base) and made is not Base
}
STATEMENT = re.compile(
    r"\b(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM|TRUNCATE(?:\s+TABLE)?|MERGE\s+INTO)\s+(?:ONLY\s+)?"
    rf"(?:public\.)?(?:{'|'.join(MODELS.values())})\b",
    re.IGNORECASE,
)


def writes_in(source: str) -> Iterator[str]:
    """Constructions, Core statements and SQL texts that write one of the tables."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found = STATEMENT.search(node.value)
            if found:
                yield f"{node.lineno}: {found.group()}"
        if not isinstance(node, ast.Call):
            continue
        called = _last_name(node.func)
        if called in MODELS:
            yield f"{node.lineno}: {called}(…)"
        if called in ("insert", "update", "delete", "bulk_insert_mappings"):
            written = {_last_name(argument) for argument in node.args} & MODELS.keys()
            if written:
                yield f"{node.lineno}: {called}({written.pop()})"


def _last_name(node: ast.expr) -> str | None:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def test_nobody_else_writes_the_ledger() -> None:
    assert len(MODELS) == 7
    found = [
        f"{path.relative_to(ROOT)}:{write}"
        for layer in LAYERS
        for path in sorted((ROOT / layer).rglob("*.py"))
        if path != BULK and not {WRITER, MIGRATIONS} & set(path.parents)
        for write in writes_in(path.read_text())
    ]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "session.add(Journal(id=1))",
        "models.EarningLot(id=1)",
        "insert(LedgerAccount).values()",
        "postgresql.insert(models.LotMovement)",
        "update(CreatorMoney)",
        "delete(AccountBalance)",
        'text("INSERT INTO journal_entries VALUES (1)")',
        'text("with x as (select 1)\\nupdate earning_lots set y = 1")',
        'f"DELETE FROM journals WHERE {x}"',
    ],
)
def test_a_write_is_seen(source: str) -> None:
    assert list(writes_in(source))


def test_reading_is_no_write() -> None:
    source = 'select(Journal); text("SELECT * FROM journals FOR UPDATE OF earning_lots")'
    assert list(writes_in(source)) == []
