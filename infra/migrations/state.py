"""Which revision a database is at, and whether this release can work with it.

An older database lacks what the code asks for, so nothing starts on it. A newer one is the
ordinary state of a rollout: a migration only adds until the release after it, so the code that
is being replaced goes on working (docs/contributing.md).
"""

from __future__ import annotations

from functools import cache

from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, text

from infra.migrations import make_config

FOUND = "SELECT version_num FROM alembic_version"


class DatabaseBehind(Exception):
    """The database was not migrated to what this release needs; says what to run."""


@cache
def newest() -> str:
    """The revision that this release's code is written for."""
    head = _scripts().get_current_head()
    assert head is not None
    return head


def check_revision(found: str | None) -> None:
    """Hold a database's revision (None: it has none) against this release.

    Raises:
        DatabaseBehind: it is older. One that this release does not know is newer.
    """
    if found == newest() or (found is not None and not _is_known(found)):
        return
    raise DatabaseBehind(
        f"The database is at revision {found or 'none'}, and this release needs {newest()}: "
        "run `python -m infra.prepare` first."
    )


def check_database(connection: Connection) -> None:
    """As `check_revision`, of the database behind a connection.

    Raises:
        DatabaseBehind: it is older, or was never migrated.
    """
    if connection.scalar(text("SELECT to_regclass('alembic_version')")) is None:
        check_revision(None)
    check_revision(connection.scalar(text(FOUND)))


def _is_known(revision: str) -> bool:
    try:
        return _scripts().get_revision(revision) is not None
    except CommandError:
        return False


@cache
def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(make_config(""))
