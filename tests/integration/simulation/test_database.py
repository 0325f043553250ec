from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, select

from infra.db import transaction
from infra.models import AuditEntry
from infra.queries.audit import record
from simulation.database import ProcessDatabase, own_postgres

LATER = datetime(2035, 2, 3, 4, 5, 6, tzinfo=UTC)


def test_a_world_sees_nothing_of_the_one_before_not_even_what_is_insert_only(
    other_run_dir: Path,
) -> None:
    with own_postgres(other_run_dir / "simulation") as environment:
        first, second = (ProcessDatabase(environment, number) for number in range(2))
        with transaction(first.engine) as session:
            record(
                session,
                AuditEntry(
                    actor_name="ada",
                    action="media.held",
                    subject_type="media",
                    subject_id="m1",
                    detail={},
                ),
            )
        assert (entries(first), entries(second)) == (1, 0)
        first.empty()
        assert entries(first) == 0
        for each in (first, second):
            each.close()
    assert not (other_run_dir / "simulation").exists()


def entries(database: ProcessDatabase) -> int:
    with transaction(database.engine) as session:
        return session.scalar(select(func.count()).select_from(AuditEntry)) or 0


def test_the_clock_of_the_database_shows_what_it_is_told(
    simulation_environment: Mapping[str, str],
) -> None:
    database = ProcessDatabase(simulation_environment, 2)
    database.keep_time(LATER)
    with transaction(database.engine) as session:
        clocks = session.execute(select(func.now(), func.clock_timestamp())).one()
        entry = AuditEntry(
            actor_name="ada",
            action="media.held",
            subject_type="media",
            subject_id="m1",
            detail={},
        )
        record(session, entry)
        session.flush()
        session.refresh(entry)
    database.close()
    assert {*clocks, entry.at} == {LATER}
