"""A Postgres of the simulation's own, and a database of it for each process."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import psycopg
from sqlalchemy import Engine, create_engine, text

from devstack.databases import clone_template, empty_tables
from devstack.postgres import Postgres
from devstack.stack import Stack, settings_from
from infra.db import transaction
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


SIMULATED_CLOCK = """
CREATE TABLE simulated_clock (moment timestamptz NOT NULL);
INSERT INTO simulated_clock VALUES (now());
CREATE FUNCTION public.now() RETURNS timestamptz
    LANGUAGE sql STABLE AS 'SELECT moment FROM public.simulated_clock';
CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz
    LANGUAGE sql STABLE AS 'SELECT moment FROM public.simulated_clock';
DO $$
DECLARE each record;
BEGIN
    FOR each IN
        SELECT d.adrelid::regclass AS owner, a.attname AS name
        FROM pg_attrdef d
        JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
        WHERE pg_get_expr(d.adbin, d.adrelid) IN ('now()', 'clock_timestamp()')
    LOOP
        EXECUTE format('ALTER TABLE %s ALTER %I SET DEFAULT public.now()', each.owner, each.name);
    END LOOP;
    EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', current_database());
END $$;
"""
"""The database's clock is one of ours: names are looked for among Postgres' own functions last."""


class ProcessDatabase:
    """One process's database: cloned once, emptied before each world.

    Emptying a hundred tables takes a few milliseconds, cloning anew well over a hundred.
    """

    def __init__(self, environment: Mapping[str, str], number: int) -> None:
        url = clone_template(environment["DATABASE_URL"], f"player_{number}")
        with psycopg.connect(url.replace("+psycopg", "", 1)) as connection:
            connection.execute(SIMULATED_CLOCK)
        self.settings: Settings = settings_from({**environment, "DATABASE_URL": url})
        # Less the ping before each use, which a server that outlives the process does not need.
        self.engine: Engine = create_engine(url, hide_parameters=True)

    def keep_time(self, moment: datetime) -> None:
        """Have the database's clock show it."""
        with transaction(self.engine) as session:
            session.execute(text("UPDATE simulated_clock SET moment = :moment"), {"moment": moment})

    def empty(self) -> None:
        empty_tables(self.engine)

    def close(self) -> None:
        self.engine.dispose()
