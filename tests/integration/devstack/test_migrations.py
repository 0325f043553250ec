from __future__ import annotations

from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, create_engine, insert, inspect, text
from sqlalchemy.exc import ProgrammingError

from devstack.databases import clone_template
from infra.migrations import downgrade, upgrade
from infra.models import AuditEntry, Base


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
