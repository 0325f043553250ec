"""Proof that nothing in the audit log was changed: `python -m infra.audit verify`.

Every entry has a place in a chain: its hash covers its own text and the hash before it. The
database makes the chain; here it is made again, by code that does not live in the database, and
held against what is stored. What whoever can write to the database could still do is rewrite the
whole chain from some entry on, or cut its end off. So keep the head that a run prints somewhere
else, and give it to a later run as `--expect POSITION:HASH`.

Exit code 0: all is well. 1: it is not, and the first line says where. 2: it can't be said.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import OperationalError

from infra.settings import SettingsError, load_settings

PAGE = 5000
FAULTS_SHOWN_MAX = 20
GENESIS = bytes(32)
"""Stands for the hash before the first entry."""

# Written out here: `audit_entry_text` lies in the database, and could be changed with the rows.
_TEXT = """
    jsonb_build_array(
        a.id, (extract(epoch FROM a.at) * 1000000)::bigint, a.actor_id, a.actor_name, a.action,
        a.subject_type, a.subject_id, a.request_id, a.detail
    )::text
"""
_LINKS = text(f"""
    SELECT l.position, l.entry_id, l.hash, CASE WHEN a.id IS NOT NULL THEN {_TEXT} END
    FROM audit_links l LEFT JOIN audit_log a ON a.id = l.entry_id
    WHERE l.position > :after ORDER BY l.position LIMIT :limit
""")
_UNLINKED = text("""
    SELECT a.id FROM audit_log a
    WHERE NOT EXISTS (SELECT 1 FROM audit_links l WHERE l.entry_id = a.id)
    ORDER BY a.id LIMIT :limit
""")


@dataclass(frozen=True, slots=True)
class Head:
    """A place in the chain, and the hash that covers everything up to it."""

    position: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.position}:{self.hash.hex()}"

    @classmethod
    def parse(cls, written: str) -> Head:
        """Read back what `str` made.

        Raises:
            ValueError: it is nothing of the kind.
        """
        position, _, digest = written.partition(":")
        head = cls(int(position), bytes.fromhex(digest))
        if head.position < 0 or len(head.hash) != 32:
            raise ValueError(written)
        return head


@dataclass
class Verdict:
    head: Head = Head(0, GENESIS)
    entries: int = 0
    faults: list[str] = field(default_factory=list)
    """The first ones, in the order of the chain."""

    def blame(self, fault: str) -> None:
        if len(self.faults) < FAULTS_SHOWN_MAX:
            self.faults.append(fault)


@dataclass(frozen=True, slots=True)
class _Link:
    position: int
    entry_id: int
    hash: bytes
    written: str | None
    """The entry's text; None where there is no such entry."""


def verify(engine: Engine, *, expected: Head | None = None, page: int = PAGE) -> Verdict:
    """Walk the whole chain, in one snapshot and in bounded memory.

    After a broken link the walk goes on from the hash that is stored there, so that each fault
    is told once.
    """
    verdict = Verdict()
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        for link in _links(connection, page):
            _judge(verdict, link)
            if expected is not None and link.position == expected.position:
                _compare(verdict, expected, link.hash)
            verdict.head = Head(link.position, link.hash)
            verdict.entries += 1
        for (entry_id,) in connection.execute(_UNLINKED, {"limit": FAULTS_SHOWN_MAX}):
            verdict.blame(f"entry {entry_id} has no place in the chain: it was put in")
    if expected is not None and verdict.head.position < expected.position:
        verdict.blame(
            f"the chain ends at {verdict.head.position}, before {expected.position}: "
            "its end was cut off"
        )
    return verdict


def _links(connection: Connection, page: int) -> Iterator[_Link]:
    after = 0
    while True:
        rows = connection.execute(_LINKS, {"after": after, "limit": page}).all()
        for position, entry_id, stored, written in rows:
            yield _Link(position, entry_id, bytes(stored), written)
        if len(rows) < page:
            return
        after = rows[-1].position


def _judge(verdict: Verdict, link: _Link) -> None:
    wanted = verdict.head.position + 1
    if link.position != wanted:
        verdict.blame(f"positions {wanted} to {link.position - 1} are missing")
    elif link.written is None:
        verdict.blame(f"position {link.position}: its entry {link.entry_id} was taken out")
    else:
        digest = hashlib.sha256(verdict.head.hash + link.written.encode()).digest()
        if digest != link.hash:
            verdict.blame(
                f"position {link.position}: entry {link.entry_id}, or its hash, was changed"
            )


def _compare(verdict: Verdict, expected: Head, stored: bytes) -> None:
    if stored != expected.hash:
        verdict.blame(
            f"position {expected.position} has another hash than expected: the chain was written "
            "anew from there, or from before"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m infra.audit", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    commands = parser.add_subparsers(dest="command", required=True)
    verifying = commands.add_parser("verify", help="walk the chain of hashes")
    verifying.add_argument(
        "--expect",
        metavar="POSITION:HASH",
        type=Head.parse,
        help="a head that an earlier run printed: nothing up to there may have changed",
    )
    options = parser.parse_args(arguments)
    try:
        engine = create_engine(load_settings().database_url)
        try:
            verdict = verify(engine, expected=options.expect)
        finally:
            engine.dispose()
    except (SettingsError, OperationalError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for fault in verdict.faults:
        sys.stdout.write(f"BROKEN: {fault}\n")
    if not verdict.faults:
        sys.stdout.write(f"{verdict.entries} entries, one unbroken chain\n")
    sys.stdout.write(f"head: {verdict.head}\n")
    return 1 if verdict.faults else 0


if __name__ == "__main__":
    sys.exit(main())
