"""The check of migrations refuses what would stop a platform that runs, and docs/migrations.md says
what passes instead."""

from __future__ import annotations

import os
import re
from pathlib import Path
from textwrap import dedent

import pytest
from alembic.script import ScriptDirectory

from devstack.migrations import BASELINE, OFFLINE_URL, check_migrations
from infra.migrations import ROOT, make_config
from infra.migrations.state import DatabaseBehind, check_revision, newest

PATTERNS = re.findall(
    r"```python\n(def upgrade.*?)```", (ROOT / "docs" / "migrations.md").read_text(), re.DOTALL
)
HEAD = """
import sqlalchemy as sa
from alembic import op

revision = "next"
down_revision = {down!r}
branch_labels = None
depends_on = None
"""


def rules_broken_by(folder: Path, upgrade: str, head: str = "") -> list[str]:
    """By a revision that follows all there are."""
    (folder / "next.py").write_text(HEAD.format(down=newest()) + head + "\n" + dedent(upgrade))
    config = make_config(OFFLINE_URL)
    versions = ROOT / "infra" / "migrations" / "versions"
    config.set_main_option("version_locations", f"{versions}{os.pathsep}{folder}")
    return [each.rule for each in check_migrations(config) if each.revision == "next"]


@pytest.mark.parametrize(
    ("upgrade", "rule"),
    [
        (
            """
            def upgrade():
                op.create_index("ix_media_bytes", "media", ["original_bytes"])
            """,
            "require-concurrent-index-creation",
        ),
        (
            """
            def upgrade():
                op.add_column("posts", sa.Column("seen_at", sa.DateTime(), nullable=False))
            """,
            "adding-required-field",
        ),
        (
            """
            def upgrade():
                op.add_column(
                    "posts", sa.Column("rank", sa.Float(), server_default=sa.text("random()"))
                )
            """,
            "adding-field-with-default",
        ),
        (
            """
            def upgrade():
                op.create_check_constraint("ck_posts_short", "posts", "length(body) < 9")
            """,
            "constraint-missing-not-valid",
        ),
        (
            """
            def upgrade():
                op.drop_column("posts", "edited_at")
            """,
            "ban-drop-column",
        ),
        (
            """
            def upgrade():
                op.alter_column("posts", "body", new_column_name="text")
            """,
            "renaming-column",
        ),
        (
            """
            def upgrade():
                op.alter_column("posts", "like_count", type_=sa.BigInteger())
            """,
            "changing-column-type",
        ),
    ],
)
def test_what_locks_a_table_or_breaks_the_release_before_is_refused(
    tmp_path: Path, upgrade: str, rule: str
) -> None:
    assert rule in rules_broken_by(tmp_path, upgrade)


def test_every_pattern_of_the_page_passes(tmp_path: Path) -> None:
    assert len(PATTERNS) == 3
    for pattern in PATTERNS:
        assert rules_broken_by(tmp_path, pattern) == [], pattern


def test_an_exception_needs_a_reason_and_a_need(tmp_path: Path) -> None:
    drop = """
        def upgrade():
            op.drop_column("posts", "edited_at")
        """
    reason = 'allowed = {"ban-drop-column": "no release reads it since 1.4"}'
    assert rules_broken_by(tmp_path, drop, reason) == []
    assert rules_broken_by(tmp_path, drop, 'allowed = {"ban-drop-column": ""}') == [
        "ban-drop-column"
    ]
    assert rules_broken_by(tmp_path, PATTERNS[2], reason) == ["allowed"]


def test_what_there_is_passes() -> None:
    scripts = ScriptDirectory.from_config(make_config(OFFLINE_URL))
    assert BASELINE in {script.revision for script in scripts.walk_revisions()}
    assert check_migrations(make_config(OFFLINE_URL)) == []


@pytest.mark.parametrize("found", [None, "0001", BASELINE if newest() != BASELINE else "0034"])
def test_a_database_that_is_older_is_refused(found: str | None) -> None:
    with pytest.raises(DatabaseBehind, match=r"python -m infra\.prepare"):
        check_revision(found)


@pytest.mark.parametrize("found", [newest(), "9999"])
def test_a_database_that_is_as_new_or_newer_is_not(found: str) -> None:
    check_revision(found)
