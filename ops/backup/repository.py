"""Where backups lie: a folder of their own for each, over one store of objects by their hash.

    objects/ab/abcd…            an object's bytes, by their SHA-256, once however many name them
    backups/NAME/backup.json    when, of what, the dump's hash, what the rows added up to
    backups/NAME/database.dump  pg_dump's custom format
    backups/NAME/objects.jsonl  a line for each object: bucket, key, bytes, ETag, SHA-256, type

A backup that was cut off keeps the ending `.part` and is no backup; the next one takes over the
objects that it had fetched.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

PART = ".part"
DAMAGED = ".damaged"
READ_BYTES = 1024 * 1024


class BackupFault(Exception):
    """A sentence that says what is wrong with a backup, or with what was asked for."""


@dataclass(frozen=True, slots=True)
class ObjectLine:
    """One object of a bucket, as it was."""

    bucket: str
    key: str
    bytes: int
    etag: str
    sha256: str
    content_type: str | None


@dataclass(frozen=True, slots=True)
class Facts:
    """What `backup.json` says."""

    name: str
    begun_at: str
    """ISO 8601, UTC; the moment that the dump shows."""
    revision: str
    dump_sha256: str
    dump_bytes: int
    audit_head: str
    """`POSITION:HASH` of the audit log's last entry."""
    buckets: tuple[str, ...]
    objects: int
    object_bytes: int


class Repository:
    """One folder with its backups. Meant for one writer at a time."""

    def __init__(self, root: Path) -> None:
        self._objects = root / "objects"
        self._backups = root / "backups"

    def names(self) -> list[str]:
        """Complete backups, oldest first."""
        return sorted(
            path.name
            for path in self._backups.glob("*")
            if path.suffix != PART and (path / "backup.json").exists()
        )

    def resolve(self, name: str | None) -> str:
        """The newest one for None.

        Raises:
            BackupFault: there is none, or none of that name.
        """
        names = self.names()
        if not names:
            raise BackupFault(f"There is no backup in {self._backups.parent}.")
        if name is not None and name not in names:
            raise BackupFault(f"There is no backup {name}; there are: {', '.join(names)}.")
        return name or names[-1]

    def folder(self, name: str) -> Path:
        return self._backups / name

    def begin(self, name: str) -> Path:
        """A folder that is no backup yet."""
        folder = self._backups / f"{name}{PART}"
        folder.mkdir(parents=True)
        return folder

    def finish(self, facts: Facts) -> None:
        """Make a backup of what `begin` gave room to, once all of it is on the disk."""
        folder = self._backups / f"{facts.name}{PART}"
        (folder / "backup.json").write_bytes(
            orjson.dumps(asdict(facts), option=orjson.OPT_INDENT_2)
        )
        for path in (*folder.iterdir(), folder):
            _to_disk(path)
        folder.rename(self._backups / facts.name)
        _to_disk(self._backups)

    def facts(self, name: str) -> Facts:
        read = orjson.loads((self.folder(name) / "backup.json").read_bytes())
        return Facts(**{**read, "buckets": tuple(read["buckets"])})

    def lines(self, name: str) -> Iterator[ObjectLine]:
        """In the order of buckets and keys."""
        with (self.folder(name) / "objects.jsonl").open("rb") as file:
            for line in file:
                yield ObjectLine(**orjson.loads(line))

    def object_path(self, sha256: str) -> Path:
        return self._objects / sha256[:2] / sha256

    def has(self, line: ObjectLine) -> bool:
        """Whether the object is there, as long as it was; `faults` reads it all."""
        path = self.object_path(line.sha256)
        return path.exists() and path.stat().st_size == line.bytes

    def take_in(self, path: Path) -> str:
        """Move a file that was fetched to its place; returns its SHA-256."""
        digest = sha256_of(path)
        place = self.object_path(digest)
        place.parent.mkdir(parents=True, exist_ok=True)
        _to_disk(path)
        path.rename(place)
        return digest

    def faults(self, name: str) -> Iterator[str]:
        """What of a backup is missing or is not what it was. A damaged object is set aside, so that
        the next backup fetches it again."""
        facts, folder = self.facts(name), self.folder(name)
        dump = folder / "database.dump"
        if not dump.exists() or sha256_of(dump) != facts.dump_sha256:
            yield "database.dump is missing, or is not what was written"
        found = 0
        for line in self.lines(name):
            found += 1
            path = self.object_path(line.sha256)
            if not self.has(line):
                yield f"{line.bucket}/{line.key} is missing or cut off"
            elif sha256_of(path) != line.sha256:
                yield f"{line.bucket}/{line.key} is not what was fetched"
                with contextlib.suppress(OSError):  # The folder may be one that is only read.
                    path.rename(path.with_suffix(DAMAGED))
        if found != facts.objects:
            yield f"objects.jsonl has {found} lines, and {facts.objects} were written"

    def prune(self, keep: int) -> tuple[list[str], int]:
        """Remove all backups but the newest `keep`, and objects that none of those names.

        Returns the removed backups, and how many objects went.

        Raises:
            BackupFault: there is none, so nothing says which objects are of use.
        """
        self.resolve(None)
        names = self.names()
        removed = names[: max(0, len(names) - keep)]
        for name in removed:
            shutil.rmtree(self.folder(name))
        for cut_off in self._backups.glob(f"*{PART}"):
            shutil.rmtree(cut_off)
        wanted = {line.sha256 for name in self.names() for line in self.lines(name)}
        gone = 0
        for path in self._objects.glob("*/*"):
            if path.name not in wanted:
                path.unlink()
                gone += 1
        return removed, gone


def write_lines(path: Path, lines: Iterable[ObjectLine]) -> tuple[int, int]:
    """Returns how many objects and how many bytes they are."""
    objects = total = 0
    with path.open("wb") as file:
        for line in lines:
            file.write(orjson.dumps(asdict(line)) + b"\n")
            objects += 1
            total += line.bytes
    return objects, total


def _to_disk(path: Path) -> None:
    """A file, or the names of a folder: what was written may be gone with the power otherwise."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(READ_BYTES):
            digest.update(block)
    return digest.hexdigest()
