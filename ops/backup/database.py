"""The database's dump by pg_dump, and what brings it back. The programs have to be of the server's
major version or newer."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from infra.db import transaction
from infra.models import Backup
from infra.settings import Settings
from ops.backup.repository import BackupFault, Facts


@contextmanager
def snapshot(engine: Engine) -> Iterator[tuple[Connection, str]]:
    """A connection that sees one moment, and the name by which pg_dump sees the same."""
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        yield connection, str(connection.scalar(text("SELECT pg_export_snapshot()")))


def dump(settings: Settings, path: Path, *, snapshot_name: str) -> None:
    """Raises: BackupFault: pg_dump is not there, or failed."""
    _run(
        settings,
        "pg_dump",
        "--format=custom",
        "--no-owner",
        "--no-privileges",
        f"--snapshot={snapshot_name}",
        f"--file={path}",
    )


def must_be_empty(settings: Settings) -> None:
    """Raises: BackupFault: it has tables."""
    engine = create_engine(settings.database_url)
    tables = inspect(engine).get_table_names()
    engine.dispose()
    if tables:
        raise BackupFault(
            f"The database has {len(tables)} tables already. Restore into an empty one, and point "
            "DATABASE_URL to it."
        )


def note(settings: Settings, facts: Facts, *, ended_at: datetime) -> None:
    """A row, by which the monitor sees how old the newest backup is. A schema older than this code
    may have no room for it.

    Raises:
        BackupFault: the database could not be told.
    """
    engine = create_engine(settings.database_url)
    try:
        with transaction(engine) as session:
            if not inspect(session.connection()).has_table(Backup.__tablename__):
                return
            session.add(
                Backup(
                    name=facts.name,
                    begun_at=datetime.fromisoformat(facts.begun_at),
                    ended_at=ended_at,
                    objects=facts.objects,
                    object_bytes=facts.object_bytes,
                )
            )
    except SQLAlchemyError as error:
        raise BackupFault(
            f"The backup {facts.name} is whole, but the database could not be told of it: "
            f"{type(error).__name__}."
        ) from error
    finally:
        engine.dispose()


def restore(settings: Settings, path: Path) -> None:
    """All of it or nothing, into an empty database.

    Raises:
        BackupFault: pg_restore is not there, or failed.
    """
    _run(
        settings,
        "pg_restore",
        "--exit-on-error",
        "--single-transaction",
        "--no-owner",
        "--no-privileges",
        str(path),
    )


def _run(settings: Settings, program: str, *arguments: str) -> None:
    url = make_url(settings.psycopg_url)
    found = shutil.which(program, path=settings.postgres_tools_dir)
    if found is None:
        raise BackupFault(
            f"There is no {program}: install PostgreSQL's client programs, or set "
            "POSTGRES_TOOLS_DIR to the folder that has them."
        )
    # A password among the arguments could be read by every user of the machine.
    environment = {**os.environ, "PGPASSWORD": url.password or ""}
    address = url.set(password=None).render_as_string(hide_password=False)
    done = subprocess.run(
        [found, f"--dbname={address}", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BackupFault(f"{program} failed: {done.stderr.strip()}")
