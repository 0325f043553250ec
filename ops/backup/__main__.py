"""`python -m ops.backup`: copies of Postgres and S3 that can be brought back.

    create DIR             one more backup; only objects that are new are fetched
    list DIR               backups, when they were made and how large they are
    verify DIR [NAME]      read all of one, and hold it to its hashes
    restore DIR [NAME]     verify it, then fill an empty database and empty buckets, then check
    check                  whether the running platform has all that its rows name
    prune DIR --keep N     remove all but the newest N

The keys of the settings are in no backup: without them nothing that is encrypted can be read.
Settings come from the environment, as of every process. Exits with 0; with 1 where something is
missing, damaged or refused; with 2 where the settings have faults.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import create_engine, text

from infra.audit import GENESIS, Head
from infra.migrations.state import FOUND
from infra.settings import Settings, SettingsError, load_settings
from infra.storage import Storage
from ops.backup import database, objects
from ops.backup.repository import BackupFault, Facts, Repository, sha256_of, write_lines
from ops.backup.soundness import unsound

FAULTS_SHOWN_MAX = 20
LAST_LINK = text("SELECT position, hash FROM audit_links ORDER BY position DESC LIMIT 1")


def create(settings: Settings, repository: Repository) -> Facts:
    """The database first, objects after it: each object that a row of the dump names was there.

    Raises:
        BackupFault: pg_dump failed, or the backup is made and the database can't be told of it.
    """
    begun = datetime.now(UTC)
    name = f"{begun:%Y%m%dT%H%M%S.%fZ}"
    names = repository.names()
    folder = repository.begin(name)
    engine = create_engine(settings.database_url)
    try:
        with database.snapshot(engine) as (connection, seen):
            revision = str(connection.scalar(text(FOUND)))
            last = connection.execute(LAST_LINK).one_or_none()
            head = Head(last.position, bytes(last.hash)) if last is not None else Head(0, GENESIS)
            database.dump(settings, folder / "database.dump", snapshot_name=seen)
    finally:
        engine.dispose()
    with closing(Storage(settings)) as storage:
        lines = objects.fetch(storage, repository, names[-1] if names else None)
        count, total = write_lines(folder / "objects.jsonl", lines)
        buckets = objects.buckets_of(storage)
    facts = Facts(
        name=name,
        begun_at=begun.isoformat(),
        revision=revision,
        dump_sha256=sha256_of(folder / "database.dump"),
        dump_bytes=(folder / "database.dump").stat().st_size,
        audit_head=str(head),
        buckets=buckets,
        objects=count,
        object_bytes=total,
    )
    repository.finish(facts)
    database.note(settings, facts, ended_at=datetime.now(UTC))
    return facts


def restore(settings: Settings, repository: Repository, name: str) -> int:
    """Returns how many objects were sent.

    Raises:
        BackupFault: the backup is damaged, what is to be filled is not empty, or pg_restore failed.
    """
    if (fault := next(repository.faults(name), None)) is not None:
        raise BackupFault(
            f"The backup {name} is damaged: {fault}. Nothing was restored. Restore an earlier one; "
            "while the platform still has the object, the next `create` fetches it again."
        )
    facts = repository.facts(name)
    database.must_be_empty(settings)
    with closing(Storage(settings)) as storage:
        storage.ensure_buckets()
        done = objects.already_sent(storage, facts.buckets, repository.lines(name))
        lines = (line for line in repository.lines(name) if (line.bucket, line.key) not in done)
        sent = objects.send(storage, repository, lines)
    # Last, and in one transaction: until then a restore that was cut off is begun again.
    database.restore(settings, repository.folder(name) / "database.dump")
    return sent


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    say = Console(highlight=False, soft_wrap=True).print
    try:
        settings = load_settings()
        return _run(options, settings, say)
    except BackupFault as fault:
        sys.stderr.write(f"{fault}\n")
        return 1
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _run(options: argparse.Namespace, settings: Settings, say: Callable[..., None]) -> int:
    if options.command == "check":
        return _check(settings, say, None)
    repository = Repository(options.dir)
    match options.command:
        case "create":
            facts = create(settings, repository)
            say(f"{facts.name}: {_size(facts.dump_bytes)} of database, ", end="")
            say(f"{facts.objects} objects of {_size(facts.object_bytes)}")
        case "list":
            say(_table(repository))
        case "verify":
            name = repository.resolve(options.name)
            return _tell(repository.faults(name), f"{name}: all as it was written", say)
        case "prune":
            removed, gone = repository.prune(options.keep)
            say(f"removed {len(removed)} backups and {gone} objects")
        case "restore":
            name = repository.resolve(options.name)
            say(f"{name}: {restore(settings, repository, name)} objects and the database are back")
            return _check(settings, say, repository.facts(name).audit_head)
    return 0


def _check(settings: Settings, say: Callable[..., None], audit_head: str | None) -> int:
    with closing(Storage(settings)) as storage:
        faults = unsound(settings, storage, audit_head=audit_head)
        return _tell(
            faults,
            "every object is there, keys open, the audit log is whole, the ledger is zero",
            say,
        )


def _tell(faults: Iterable[str], otherwise: str, say: Callable[..., None]) -> int:
    found = list(faults)
    for fault in found[:FAULTS_SHOWN_MAX]:
        say(fault, markup=False)
    if len(found) > FAULTS_SHOWN_MAX:
        say(f"and {len(found) - FAULTS_SHOWN_MAX} more")
    if not found:
        say(otherwise)
    return 1 if found else 0


def _table(repository: Repository) -> Table:
    table = Table("backup", "begun", "database", "revision", "objects", "their size")
    for name in repository.names():
        facts = repository.facts(name)
        sizes = _size(facts.dump_bytes), _size(facts.object_bytes)
        table.add_row(
            name, facts.begun_at[:19], sizes[0], facts.revision, str(facts.objects), sizes[1]
        )
    return table


def _size(count: int) -> str:
    size = float(count)
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def parser() -> argparse.ArgumentParser:
    whole = argparse.ArgumentParser(
        prog="python -m ops.backup",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("check", help="whether the platform has all that its rows name")
    for command, said in (
        ("create", "one more backup"),
        ("list", "which there are"),
        ("verify", "hold one to its hashes"),
        ("restore", "into an empty database and empty buckets"),
        ("prune", "remove old ones"),
    ):
        added = commands.add_parser(command, help=said)
        added.add_argument("dir", type=Path, help="the repository's folder")
        if command in ("verify", "restore"):
            added.add_argument("name", nargs="?", help="a backup; the newest where left out")
        if command == "prune":
            added.add_argument("--keep", type=_positive, required=True, help="how many stay")
    return whole


def _positive(written: str) -> int:
    if (number := int(written)) < 1:
        raise ValueError(written)
    return number


if __name__ == "__main__":
    sys.exit(main())
