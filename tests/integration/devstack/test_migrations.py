from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, create_engine, insert, inspect, text
from sqlalchemy.exc import ProgrammingError

from devstack.databases import clone_template
from infra.migrations import ROOT, downgrade, upgrade
from infra.migrations.state import DatabaseBehind, check_database
from infra.models import AuditEntry, Base
from infra.settings import Settings
from tests.harness.api import serving


@pytest.fixture
def fresh(stack_environment: dict[str, str], worker_name: str) -> Iterator[Engine]:
    """A migrated database of this test's own."""
    url = clone_template(stack_environment["DATABASE_URL"], f"migrations_{worker_name}")
    engine = create_engine(url)
    yield engine
    engine.dispose()


def url_of(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


def test_models_and_migrations_agree(fresh: Engine) -> None:
    with fresh.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, Base.metadata) == []


def test_check_constraints_agree_with_the_models(fresh: Engine) -> None:
    """Alembic does not compare them; the values of the enums live there."""
    made = create_engine(url_of(fresh))
    with made.connect() as connection:
        connection.execute(text("CREATE SCHEMA wanted"))
        Base.metadata.create_all(
            connection.execution_options(schema_translate_map={None: "wanted"})
        )
        inspector = inspect(connection)
        for table in Base.metadata.tables:
            wanted = inspector.get_check_constraints(table, schema="wanted")
            found = inspector.get_check_constraints(table)
            assert {(each["name"], each["sqltext"]) for each in found} == {
                (each["name"], each["sqltext"]) for each in wanted
            }, table
        connection.rollback()
    made.dispose()


def test_downgrade_leaves_nothing_and_upgrade_follows(fresh: Engine) -> None:
    downgrade(url_of(fresh))
    assert inspect(fresh).get_table_names() == ["alembic_version"]
    with fresh.connect() as connection:
        functions = connection.scalar(
            text("SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace")
        )
    assert functions == 0
    upgrade(url_of(fresh))
    assert set(inspect(fresh).get_table_names()) == {"alembic_version", *Base.metadata.tables}


def test_repeated_upgrade_changes_nothing(fresh: Engine) -> None:
    upgrade(url_of(fresh))
    with fresh.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM alembic_version")) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_log SET action = 'other'",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log CASCADE",
    ],
)
def test_audit_log_takes_inserts_and_nothing_else(fresh: Engine, statement: str) -> None:
    with fresh.begin() as connection:
        connection.execute(
            insert(AuditEntry).values(
                actor_name="ada",
                action="media.delete",
                subject_type="media",
                subject_id="1",
                detail={},
            )
        )
    with pytest.raises(ProgrammingError, match="insert-only"), fresh.begin() as connection:
        connection.execute(text(statement))
    with fresh.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM audit_log")) == 1


def put_at(engine: Engine, revision: str) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :to"), {"to": revision})


def test_nothing_starts_on_a_database_that_is_older(fresh: Engine, settings: Settings) -> None:
    put_at(fresh, "0034")
    with fresh.connect() as connection, pytest.raises(DatabaseBehind):
        check_database(connection)
    with serving(settings.model_copy(update={"database_url": url_of(fresh)})) as api:
        answer = api.client().get("/readyz")
        assert answer.status_code == 503
        assert "python -m infra.prepare" in answer.json()["checks"]["postgres"]["error"]
        put_at(fresh, "9999")
        assert api.client().get("/readyz").status_code == 200


def test_a_worker_says_what_to_run_on_a_database_that_is_older(
    fresh: Engine, stack_environment: dict[str, str]
) -> None:
    put_at(fresh, "0034")
    done = run_module("worker", "--queue", "io", environment=stack_environment, on=fresh)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "python -m infra.prepare" in done.stderr


def test_a_database_that_is_newer_is_not_prepared(
    fresh: Engine, stack_environment: dict[str, str]
) -> None:
    put_at(fresh, "9999")
    done = run_module("infra.prepare", environment=stack_environment, on=fresh)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "9999" in done.stderr
    assert "Traceback" not in done.stderr


def run_module(
    module: str, *arguments: str, environment: dict[str, str], on: Engine
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environment, "DATABASE_URL": url_of(on)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
