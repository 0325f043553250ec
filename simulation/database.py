"""A Postgres of the simulation's own, and a database of it for each process."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

from devstack.databases import clone_template, empty_tables
from devstack.postgres import Postgres
from devstack.stack import Stack, settings_from
from infra.db import make_engine
from infra.settings import Settings


@contextmanager
def own_postgres(run_dir: Path) -> Iterator[dict[str, str]]:
    """Start a server on an empty directory, and end and remove it afterwards.

    Yields:
        The variables for the settings of whoever uses it.
    """
    shutil.rmtree(run_dir, ignore_errors=True)
    run_dir.mkdir(parents=True)
    try:
        with Stack(run_dir, parts=(Postgres(),), environ={}, durable=False) as stack:
            yield stack.environment
    finally:
        shutil.rmtree(run_dir, ignore_errors=True)


class ProcessDatabase:
    """One process's database: cloned once, emptied before each world.

    Emptying a hundred tables takes a few milliseconds, cloning anew well over a hundred.
    """

    def __init__(self, environment: Mapping[str, str], number: int) -> None:
        url = clone_template(environment["DATABASE_URL"], f"player_{number}")
        self.settings: Settings = settings_from({**environment, "DATABASE_URL": url})
        self.engine: Engine = make_engine(self.settings)

    def empty(self) -> None:
        empty_tables(self.engine)

    def close(self) -> None:
        self.engine.dispose()
