"""Migrations of the database. `alembic upgrade head` on the command line, `upgrade()` in code.

A migration that has been released is never edited; a new one follows it.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config

ROOT = Path(__file__).resolve().parent.parent.parent


def make_config(database_url: str) -> Config:
    config = Config(ROOT / "alembic.ini")
    config.set_main_option("script_location", str(ROOT / "infra" / "migrations"))
    config.attributes["database_url"] = database_url
    return config


def upgrade(database_url: str, revision: str = "head") -> None:
    command.upgrade(make_config(database_url), revision)


def downgrade(database_url: str, revision: str = "base") -> None:
    command.downgrade(make_config(database_url), revision)
