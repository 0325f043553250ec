"""Buckets into the repository, and back. What is there already goes neither way twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from domain.errors import NotFound
from infra.storage import IMMUTABLE, PRIVATE_IMMUTABLE, Storage, StoredObject
from ops.backup.repository import BackupFault, ObjectLine, Repository

PASSING = "work/"
"""Prefix of what only runs in progress need; those begin anew."""
THREADS = 8
BATCH = 64


def buckets_of(storage: Storage) -> tuple[str, ...]:
    return (storage.quarantine, storage.media, storage.public)


def fetch(storage: Storage, repository: Repository, before: str | None) -> Iterator[ObjectLine]:
    """Every object that is to be kept, in the order of buckets and keys.

    Args:
        before: a backup whose objects need not be fetched again, unless they have changed.
    """
    known = _Known(repository.lines(before) if before is not None else iter(()), storage)
    with (
        TemporaryDirectory(dir=_scratch(repository)) as folder,
        ThreadPoolExecutor(THREADS) as pool,
    ):

        def line_of(numbered: tuple[int, StoredObject, ObjectLine | None]) -> ObjectLine | None:
            number, stored, same = numbered
            if same is not None and repository.has(same):
                return same
            return _fetch_one(storage, repository, stored, Path(folder) / str(number))

        numbered = (
            (number, stored, known.same(stored)) for number, stored in enumerate(_kept(storage))
        )
        while batch := list(islice(numbered, BATCH)):
            yield from (line for line in pool.map(line_of, batch) if line is not None)


def send(storage: Storage, repository: Repository, lines: Iterable[ObjectLine]) -> int:
    """Objects back to their buckets; returns how many."""
    sent = 0
    waiting = iter(lines)
    with ThreadPoolExecutor(THREADS) as pool:
        while batch := list(islice(waiting, BATCH)):
            list(pool.map(lambda line: _send_one(storage, repository, line), batch))
            sent += len(batch)
    return sent


def already_sent(
    storage: Storage, buckets: Sequence[str], lines: Iterable[ObjectLine]
) -> set[tuple[str, str]]:
    """Buckets and keys of what a restore that was cut off has brought back.

    Raises:
        BackupFault: rows name their buckets, and these are others, or hold what is not the
            backup's.
    """
    if tuple(buckets) != buckets_of(storage):
        raise BackupFault(
            f"The backup is of the buckets {', '.join(buckets)}, which its rows name; set "
            "S3_BUCKET_QUARANTINE, S3_BUCKET_MEDIA and S3_BUCKET_PUBLIC to these."
        )
    there = {
        (bucket, stored.key): stored.bytes
        for bucket in buckets
        for stored in storage.list_prefix(bucket, "")
    }
    if not there:
        return set()
    ours = {
        (line.bucket, line.key)
        for line in lines
        if there.get((line.bucket, line.key)) == line.bytes
    }
    if foreign := there.keys() - ours:
        bucket, key = min(foreign)
        raise BackupFault(
            f"The buckets hold {len(foreign)} objects that the backup has not, such as "
            f"{bucket}/{key}. Restore into empty buckets."
        )
    return ours


class _Known:
    """What the backup before had, read along: both are in the same order."""

    def __init__(self, lines: Iterator[ObjectLine], storage: Storage) -> None:
        self._rank = {bucket: rank for rank, bucket in enumerate(buckets_of(storage))}
        self._lines = (line for line in lines if line.bucket in self._rank)
        self._next = next(self._lines, None)

    def same(self, stored: StoredObject) -> ObjectLine | None:
        place = self._place(stored)
        while self._next is not None and self._place(self._next) < place:
            self._next = next(self._lines, None)
        line = self._next
        if line is None or self._place(line) != place:
            return None
        return line if (line.etag, line.bytes) == (stored.etag, stored.bytes) else None

    def _place(self, each: StoredObject | ObjectLine) -> tuple[int, bytes]:
        return self._rank[each.bucket], each.key.encode()


def _kept(storage: Storage) -> Iterator[StoredObject]:
    for bucket in buckets_of(storage):
        for stored in storage.list_prefix(bucket, ""):
            if not stored.key.startswith(PASSING):
                yield stored


def _fetch_one(
    storage: Storage, repository: Repository, stored: StoredObject, path: Path
) -> ObjectLine | None:
    try:
        found = storage.download(stored.bucket, stored.key, path)
    except NotFound:
        return None  # Deleted since it was listed.
    size = path.stat().st_size
    digest = repository.take_in(path)
    return ObjectLine(stored.bucket, stored.key, size, found.etag, digest, found.content_type)


def _send_one(storage: Storage, repository: Repository, line: ObjectLine) -> None:
    cache_control = {storage.media: PRIVATE_IMMUTABLE, storage.public: IMMUTABLE}.get(line.bucket)
    storage.put_large_file(
        line.bucket,
        line.key,
        repository.object_path(line.sha256),
        content_type=line.content_type or "application/octet-stream",
        cache_control=cache_control,
    )


def _scratch(repository: Repository) -> Path:
    """Beside the objects, so that what was fetched is moved and not copied."""
    folder = repository.object_path("00" * 32).parent.parent
    folder.mkdir(parents=True, exist_ok=True)
    return folder
