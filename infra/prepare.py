"""`python -m infra.prepare`: what must exist before the first request; safe to repeat.

A deployment runs this once before its processes: the database at the newest version, and the
buckets.
"""

from __future__ import annotations

import sys

from alembic.util.exc import CommandError

from infra.migrations import upgrade
from infra.settings import Settings, SettingsError, load_settings
from infra.storage import Storage
from infra.telemetry import configure_logging


def prepare(settings: Settings) -> None:
    """Migrate the database, and make the buckets with their rules."""
    upgrade(settings.database_url)
    storage = Storage(settings)
    try:
        storage.ensure_buckets()
    finally:
        storage.close()


def main() -> int:
    try:
        settings = load_settings()
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    configure_logging(settings)
    try:
        prepare(settings)
    except CommandError as error:
        sys.stderr.write(
            f"The database could not be migrated: {error}\n"
            "If its revision is one that this release does not know, a newer release has been "
            "here: deploy that one, or downgrade with it first.\n"
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
