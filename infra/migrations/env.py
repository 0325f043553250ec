"""Alembic's entry: which database, which models."""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine, pool, text

from infra.models import Base
from infra.settings import load_settings

LOCK_KEY = 0x66616E73
"""Of the advisory lock that lets one migration run at a time ("fans")."""
LOCK_TIMEOUT = "SET lock_timeout = '5s'"
"""A migration that waits for a table's lock makes everybody wait who comes after it. So it gives
up soon, and the deployment's job tries again."""


def database_url() -> str:
    given: str | None = context.config.attributes.get("database_url")
    return given if given is not None else load_settings().database_url


def run_offline() -> None:
    """Print the SQL instead of running it (`alembic upgrade head --sql`)."""
    context.configure(
        url=database_url(),
        target_metadata=Base.metadata,
        literal_binds=True,
        compare_type=True,
        transaction_per_migration=True,
    )
    context.execute(LOCK_TIMEOUT)
    with context.begin_transaction():
        context.run_migrations()


def run_online() -> None:
    engine = create_engine(database_url(), poolclass=pool.NullPool)
    with engine.connect() as connection:
        # Held until the connection closes; a second deployment waits, then finds nothing to do.
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": LOCK_KEY})
        connection.execute(text(LOCK_TIMEOUT))
        connection.commit()
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            compare_type=True,
            compare_server_default=True,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


if context.is_offline_mode():
    run_offline()
else:
    run_online()
