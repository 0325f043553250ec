"""The audit log's chain: made by every commit, and broken by every change behind its back."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, text

from devstack.stack import ROOT
from infra.audit import GENESIS, Head, Verdict, verify
from infra.db import transaction
from infra.models import AuditEntry
from infra.queries import audit


def entry(number: int, **detail: object) -> AuditEntry:
    return AuditEntry(
        actor_name="ada",
        action="media.deleted",
        subject_type="media",
        subject_id=str(number),
        request_id=f"request-{number}",
        detail={"note": "naïve \\ \"quoted\" 'text' \u2028", "number": number, **detail},
    )


@pytest.fixture
def log(engine: Engine) -> Engine:
    """Six entries, in two transactions of one and one of four."""
    for numbers in ((1,), (2,), (3, 4, 5, 6)):
        with transaction(engine) as session:
            for number in numbers:
                audit.record(session, entry(number))
    return engine


def behind_its_back(engine: Engine, *statements: str) -> None:
    """As somebody would who may do anything with the database."""
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in statements:
            connection.execute(text(statement))


def id_at(engine: Engine, position: int) -> int:
    with engine.connect() as connection:
        found = connection.execute(
            text("SELECT entry_id FROM audit_links WHERE position = :p"), {"p": position}
        )
        return int(found.scalar_one())


def test_what_was_written_is_one_chain(log: Engine) -> None:
    verdict = verify(log)
    assert (verdict.faults, verdict.entries, verdict.head.position) == ([], 6, 6)


@pytest.mark.parametrize("page", [1, 2, 3, 6, 7])
def test_the_walk_is_the_same_in_pages_of_any_size(log: Engine, page: int) -> None:
    assert verify(log, page=page) == verify(log)


def test_an_empty_log_is_well(engine: Engine) -> None:
    assert verify(engine) == Verdict(Head(0, GENESIS), 0, [])


CHANGES = {
    "at": "now()",
    "actor_id": "gen_random_uuid()",
    "actor_name": "'eve'",
    "action": "'media.viewed'",
    "subject_type": "'post'",
    "subject_id": "'99'",
    "request_id": "NULL",
    "detail": "detail || '{\"number\": 99}'",
}


@pytest.mark.parametrize("column", CHANGES)
def test_a_changed_entry_is_found_whatever_was_changed(log: Engine, column: str) -> None:
    changed = id_at(log, 3)
    behind_its_back(log, f"UPDATE audit_log SET {column} = {CHANGES[column]} WHERE id = {changed}")
    assert verify(log).faults == [f"position 3: entry {changed}, or its hash, was changed"]


def test_a_changed_entry_whose_hash_was_made_to_fit_breaks_the_next(log: Engine) -> None:
    changed = id_at(log, 3)
    behind_its_back(
        log,
        f"UPDATE audit_log SET actor_name = 'eve' WHERE id = {changed}",
        "UPDATE audit_links l SET hash = sha256((SELECT hash FROM audit_links WHERE position = 2)"
        " || convert_to(audit_entry_text(a), 'UTF8')) FROM audit_log a"
        " WHERE a.id = l.entry_id AND l.position = 3",
    )
    assert verify(log).faults == [f"position 4: entry {id_at(log, 4)}, or its hash, was changed"]


def test_an_entry_that_was_taken_out_is_found(log: Engine) -> None:
    gone = id_at(log, 3)
    behind_its_back(log, f"DELETE FROM audit_log WHERE id = {gone}")
    assert verify(log).faults == [f"position 3: its entry {gone} was taken out"]


def test_an_entry_that_was_taken_out_with_its_link_is_found(log: Engine) -> None:
    behind_its_back(
        log,
        f"DELETE FROM audit_log WHERE id = {id_at(log, 3)}",
        "DELETE FROM audit_links WHERE position = 3",
    )
    assert verify(log).faults == ["positions 3 to 3 are missing"]


def test_a_gap_that_was_closed_is_found(log: Engine) -> None:
    behind_its_back(
        log,
        f"DELETE FROM audit_log WHERE id = {id_at(log, 3)}",
        "DELETE FROM audit_links WHERE position = 3",
        "UPDATE audit_links SET position = position - 1 WHERE position > 3",
    )
    assert verify(log).faults == [f"position 3: entry {id_at(log, 3)}, or its hash, was changed"]


def test_an_entry_that_was_put_in_is_found(log: Engine) -> None:
    behind_its_back(
        log,
        "INSERT INTO audit_log (actor_name, action, subject_type, subject_id, detail)"
        " VALUES ('ada', 'role.changed', 'user', '1', '{}')",
    )
    (fault,) = verify(log).faults
    assert "has no place in the chain" in fault


def test_entries_that_changed_places_are_found(log: Engine) -> None:
    first, second = id_at(log, 3), id_at(log, 4)
    behind_its_back(
        log,
        f"UPDATE audit_links SET entry_id = -1 WHERE entry_id = {first}",
        f"UPDATE audit_links SET entry_id = {first} WHERE entry_id = {second}",
        f"UPDATE audit_links SET entry_id = {second} WHERE entry_id = -1",
    )
    assert verify(log).faults == [
        f"position 3: entry {second}, or its hash, was changed",
        f"position 4: entry {first}, or its hash, was changed",
    ]


CUTS: dict[str, Callable[[Engine], tuple[str, ...]]] = {
    "its last entries": lambda log: (
        f"DELETE FROM audit_log WHERE id >= {id_at(log, 5)}",
        "DELETE FROM audit_links WHERE position >= 5",
    ),
    "all of it": lambda _: ("TRUNCATE audit_log, audit_links",),
}


@pytest.mark.parametrize("cut", CUTS)
def test_an_end_that_was_cut_off_is_found_by_a_head_kept_elsewhere(log: Engine, cut: str) -> None:
    kept = verify(log).head
    behind_its_back(log, *CUTS[cut](log))
    assert verify(log).faults == [], "what is left is a chain"
    (fault,) = verify(log, expected=kept).faults
    assert "before 6: its end was cut off" in fault


def test_a_chain_that_was_written_anew_is_found_by_a_head_kept_elsewhere(log: Engine) -> None:
    kept = verify(log).head
    with transaction(log) as session:
        audit.record(session, entry(7))
    assert verify(log, expected=kept).faults == [], "what came later changes nothing"
    with log.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(
            text("UPDATE audit_log SET actor_name = 'eve' WHERE id = :id"), {"id": id_at(log, 2)}
        )
        connection.execute(text("DELETE FROM audit_links"))
        connection.execute(text(RELINK))
    assert verify(log).faults == [], "by itself it looks sound"
    (fault,) = verify(log, expected=kept).faults
    assert fault.startswith("position 6 has another hash than expected")


RELINK = """
WITH RECURSIVE numbered AS (
    SELECT row_number() OVER (ORDER BY id) AS position, id,
           convert_to(audit_entry_text(a), 'UTF8') AS written
    FROM audit_log a
), chain AS (
    SELECT position, id, sha256(decode(repeat('00', 32), 'hex') || written) AS hash
    FROM numbered WHERE position = 1
    UNION ALL
    SELECT n.position, n.id, sha256(c.hash || n.written)
    FROM numbered n JOIN chain c ON n.position = c.position + 1
)
INSERT INTO audit_links (position, entry_id, hash) SELECT position, id, hash FROM chain
"""


def test_commits_at_the_same_time_make_one_chain_without_gaps(engine: Engine) -> None:
    together = threading.Barrier(4)

    def commit(worker: int) -> None:
        for number in range(10):
            with transaction(engine) as session:
                audit.record(session, entry(worker * 100 + number))
                audit.record(session, entry(worker * 100 + number + 50))
                if number == 0:
                    session.flush()
                    together.wait(10)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(commit, range(4)))
    verdict = verify(engine)
    assert (verdict.faults, verdict.entries, verdict.head.position) == ([], 80, 80)


def test_what_was_rolled_back_leaves_no_gap(log: Engine) -> None:
    with log.connect() as connection:
        connection.execute(
            text(
                "INSERT INTO audit_log (actor_name, action, subject_type, subject_id, detail)"
                " VALUES ('ada', 'x', 'user', '1', '{}')"
            )
        )
        connection.rollback()
    with transaction(log) as session:
        audit.record(session, entry(7))
    verdict = verify(log)
    assert (verdict.faults, verdict.head.position) == ([], 7)


def command(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "infra.audit", "verify", *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_tells_by_its_exit_code(log: Engine, stack_environment: dict[str, str]) -> None:
    well = command(stack_environment)
    head = verify(log).head
    assert (well.returncode, well.stdout) == (
        0,
        f"6 entries, one unbroken chain\nhead: {head}\n",
    )
    assert command(stack_environment, "--expect", str(head)).returncode == 0
    behind_its_back(log, f"UPDATE audit_log SET action = 'x' WHERE id = {id_at(log, 1)}")
    broken = command(stack_environment)
    assert broken.returncode == 1
    assert broken.stdout.startswith("BROKEN: position 1: entry")
    assert command(stack_environment, "--expect", "nonsense").returncode == 2
