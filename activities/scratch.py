"""Local disk of a worker: a folder for each job, and originals kept for the next chunk.

Everything here may vanish at any time; whatever must last is in S3 or Postgres.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import mkdtemp

import structlog

from domain.errors import Unavailable
from infra.metrics.measures import scratch_free_bytes

log = structlog.get_logger(__name__)

ORIGINAL_KEPT_SECONDS = 3600
"""How long an original that nobody reads any more stays for chunks still to come."""

SWEEP_SECONDS = 300.0
"""Between two looks for what nobody reads any more."""
LOOK_SECONDS = 15.0
_BEING_MADE_SECONDS = 60
LOCK_POLL_SECONDS = 0.1


class Scratch:
    """Scratch space under one folder, shared by the worker processes of a machine.

    Args:
        root: the folder; made when absent.
        free_bytes_min: what must stay free of the disk after a reservation.
        bytes_max: what may lie here in all, where less than the disk is ours.
    """

    def __init__(self, root: Path, *, free_bytes_min: int, bytes_max: int | None = None) -> None:
        self._root = root
        self._bytes_max = bytes_max
        self._jobs = root / "jobs"
        self._originals = root / "originals"
        self._free_bytes_min = free_bytes_min
        for folder in (self._jobs, self._originals):
            folder.mkdir(parents=True, exist_ok=True)
        self.look()

    @contextmanager
    def job(self, name: str) -> Iterator[Path]:
        """A fresh folder that is gone afterwards, whatever happens.

        The folder is locked while in use, so that the sweep can tell a dead worker's
        folders from a live one's.
        """
        folder = Path(mkdtemp(prefix=f"{name}-", dir=self._jobs))
        with (folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def original(
        self,
        key: str,
        *,
        size_bytes: int,
        fetch: Callable[[Path], None],
        on_wait: Callable[[], None] = lambda: None,
    ) -> Iterator[Path]:
        """The original as a local file, fetched once a machine and kept while it is read.

        Chunks of one video on one machine share the file: the first fetches it, those that
        come meanwhile wait for it, and all read under a shared lock. `on_wait` is called
        several times a second while they wait.

        Raises:
            Unavailable: too little free disk.
        """
        path = self._original_path(key)
        while True:
            with _locked(_lock_of(path), fcntl.LOCK_SH, on_wait):
                if _is_whole(path, size_bytes):
                    os.utime(path)
                    yield path
                    return
            with _locked(_lock_of(path), fcntl.LOCK_EX, on_wait):
                if not _is_whole(path, size_bytes):
                    self._fetch(path, size_bytes, fetch)

    def _fetch(self, path: Path, size_bytes: int, fetch: Callable[[Path], None]) -> None:
        self.reserve(size_bytes)
        partial = path.with_name(path.name + ".part")
        try:
            fetch(partial)
            if not _is_whole(partial, size_bytes):
                raise Unavailable(
                    "the stored original changed its size while it was fetched",
                    expected_bytes=size_bytes,
                )
            partial.rename(path)
        finally:
            partial.unlink(missing_ok=True)

    def _original_path(self, key: str) -> Path:
        return self._originals / key.replace("/", "_")

    def reserve(self, wanted_bytes: int) -> None:
        """Make room, and refuse work that would fill the disk.

        Raises:
            Unavailable: even after old files are gone there is too little room.
        """
        if self._room_bytes() >= wanted_bytes:
            return
        self.sweep(kept_seconds=0)
        room_bytes = self._room_bytes()
        if room_bytes < wanted_bytes:
            raise Unavailable(
                "the scratch disk is full; free some space or point SCRATCH_DIR elsewhere",
                code="scratch_full",
                room_bytes=max(0, room_bytes),
                wanted_bytes=wanted_bytes,
                kept_free_bytes=self._free_bytes_min,
            )

    def sweep(self, *, kept_seconds: float = ORIGINAL_KEPT_SECONDS) -> int:
        """Delete folders of dead workers and originals unread for `kept_seconds`.

        Returns how many were deleted. Safe beside running jobs: what is locked stays.
        """
        deleted = 0
        for folder in self._jobs.iterdir():
            if _is_abandoned(folder):
                shutil.rmtree(folder, ignore_errors=True)
                deleted += 1
        horizon = time.time() - kept_seconds
        for path in self._originals.iterdir():
            if path.suffix != ".lock" and _age_moment(path) <= horizon and _drop(path):
                deleted += 1
        if deleted:
            log.info("scratch swept", deleted=deleted)
        return deleted

    def forget(self, key: str) -> None:
        """Drop an original that nothing will read again; one being read stays for the sweep."""
        _drop(self._original_path(key))

    def _room_bytes(self) -> int:
        """How much may still be written; below 0 where more lies here than may."""
        room_bytes = self._free_bytes() - self._free_bytes_min
        if self._bytes_max is None:
            return room_bytes
        return min(room_bytes, self._bytes_max - _size_of(self._root))

    def look(self) -> None:
        """Tell how much is free, whether or not somebody wants some of it."""
        self._free_bytes()

    def _free_bytes(self) -> int:
        free_bytes = shutil.disk_usage(self._jobs).free
        scratch_free_bytes.set(free_bytes)
        return free_bytes


@asynccontextmanager
async def kept_tidy(
    scratch: Scratch, *, every_seconds: float = SWEEP_SECONDS
) -> AsyncIterator[None]:
    """Sweep again and again, and tell how much is free. Each worker process does so for itself: its
    disk may be its own."""

    async def sweep() -> None:
        swept_at = time.monotonic()
        while True:
            await asyncio.sleep(min(every_seconds, LOOK_SECONDS))
            try:
                await asyncio.to_thread(scratch.look)
                if time.monotonic() - swept_at >= every_seconds:
                    await asyncio.to_thread(scratch.sweep)
                    swept_at = time.monotonic()
            except OSError as error:
                log.warning("scratch not swept", why=str(error))

    sweeping = asyncio.create_task(sweep())
    try:
        yield
    finally:
        sweeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sweeping


def _size_of(folder: Path) -> int:
    """Bytes of all files below; what vanishes meanwhile counts for nothing."""
    size = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                size += (Path(place) / name).lstat().st_size
    return size


def _lock_of(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def _is_whole(path: Path, size_bytes: int) -> bool:
    return path.exists() and path.stat().st_size == size_bytes


@contextmanager
def _locked(
    lock_path: Path, mode: int, on_wait: Callable[[], None] | None = None
) -> Iterator[None]:
    """Hold a lock file. Starts over when the file was deleted while we waited for it, since
    a lock on a deleted file keeps nobody out.

    Raises:
        BlockingIOError: somebody holds it, and there is no `on_wait` to wait with.
    """
    while True:
        with lock_path.open("a") as lock:
            try:
                fcntl.flock(lock, mode | fcntl.LOCK_NB)
            except BlockingIOError:
                if on_wait is None:
                    raise
            else:
                if _same_file(lock_path, lock.fileno()):
                    yield
                    return
                continue
        on_wait()
        time.sleep(LOCK_POLL_SECONDS)


def _same_file(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _drop(path: Path) -> bool:
    """Delete a file and its lock unless somebody holds the lock."""
    try:
        with _locked(_lock_of(path), fcntl.LOCK_EX):
            path.unlink(missing_ok=True)
            _lock_of(path).unlink(missing_ok=True)
    except BlockingIOError:
        return False
    return True


def _age_moment(path: Path) -> float:
    """When the file was last wanted, in seconds since the epoch; a lost race reads as now."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return time.time()


def _is_abandoned(folder: Path) -> bool:
    """No live worker holds the job's lock. A folder without a lock is one being made."""
    try:
        with (folder / ".lock").open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return time.time() - _age_moment(folder) > _BEING_MADE_SECONDS
    except BlockingIOError:
        return False
    return True
