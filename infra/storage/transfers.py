"""Reading objects: streams that survive a broken connection, downloads by parallel ranges."""

from __future__ import annotations

import errno
import os
import queue
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import structlog

from domain.errors import FansworldError, Unavailable
from infra.storage.connection import storage_faults

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

MIB = 1024 * 1024
READ_BYTES = MIB
"""One read from the socket. Measured by CPU for 200 MB: 64 KiB costs 100 ms, 256 KiB 71,
1 MiB 64 and 4 MiB 62."""
RANGE_BYTES = 16 * MIB
"""What one thread of a download asks for at a time."""
STALLS_MAX = 6
"""Connections that may break in a row without a single new byte."""
BACKOFF_SECONDS = 0.1
BACKOFF_SECONDS_MAX = 3.0

OnBytes = Callable[[int], None]
"""Told how many bytes are done so far, always in the thread of the caller."""
Cancelled = Callable[[], bool]

log = structlog.get_logger(__name__)


class TransferCancelled(FansworldError):
    """The caller's `cancel` answered yes; what was written so far is of no use."""

    code = "transfer_cancelled"


@dataclass(frozen=True)
class StoredObject:
    bucket: str
    key: str
    bytes: int
    etag: str
    """Without quotes. A hash of the bytes only for small unencrypted single uploads."""
    content_type: str | None = None


@dataclass(frozen=True)
class ArrivedPart:
    """A part of a multipart upload that storage holds."""

    number: int
    bytes: int
    etag: str


def bare_etag(etag: str) -> str:
    return etag.strip('"')


def read_range(
    client: S3Client, source: StoredObject, *, start: int, stop: int, block_bytes: int
) -> Iterator[bytes]:
    """Bytes `start` to `stop` (exclusive), resumed where a connection broke.

    Every request carries the object's ETag, so a stream never mixes two versions.

    Raises:
        PreconditionFailed: the object has changed meanwhile.
        NotFound: it is gone.
        Unavailable: `STALLS_MAX` connections in a row brought nothing.
    """
    position, stalls = start, 0
    while position < stop:
        before = position
        try:
            with storage_faults(source.bucket, source.key):
                answer = client.get_object(
                    Bucket=source.bucket,
                    Key=source.key,
                    Range=f"bytes={position}-{stop - 1}",
                    IfMatch=f'"{source.etag}"',
                )
                body = answer["Body"]
                try:
                    _must_begin_at(position, source, answer["ContentRange"])
                    while block := body.read(block_bytes):
                        position += len(block)
                        yield block
                finally:
                    body.close()
            if position < stop:
                raise Unavailable("Storage ended an answer early.", code="storage_unavailable")
        except Unavailable as error:
            stalls = 0 if position > before else stalls + 1
            if stalls >= STALLS_MAX:
                raise
            log.info("storage_read_resumed", key=source.key, at_bytes=position, why=error.message)
            time.sleep(min(BACKOFF_SECONDS * 2**stalls, BACKOFF_SECONDS_MAX))


def _must_begin_at(position: int, source: StoredObject, content_range: str) -> None:
    """The answer must say the range and the size that we count on (RFC 9110 §14.4)."""
    span, _, total = content_range.removeprefix("bytes ").partition("/")
    if not span.startswith(f"{position}-") or total != str(source.bytes):
        raise Unavailable(
            "Storage answered with another range than asked for.",
            code="storage_unavailable",
            content_range=content_range,
        )


def download(
    client: S3Client,
    source: StoredObject,
    path: Path,
    *,
    threads: int,
    on_bytes: OnBytes | None = None,
    cancel: Cancelled | None = None,
) -> None:
    """Write the object to `path`, by several ranges at a time where it is large.

    Whatever ends it early (an error, `cancel`, an exception of `on_bytes`), all threads have
    stopped and the file is gone when it returns.

    Raises:
        TransferCancelled: `cancel()` was true.
        Unavailable: also with code `scratch_full` when the disk is.
    """
    ranges = [
        (start, min(start + RANGE_BYTES, source.bytes))
        for start in range(0, source.bytes, RANGE_BYTES)
    ]
    done = False
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.truncate(descriptor, source.bytes)
        if len(ranges) <= 1 or threads <= 1:
            _write_here(client, source, descriptor, on_bytes=on_bytes, cancel=cancel)
        else:
            _write_in_threads(
                client,
                source,
                descriptor,
                ranges,
                threads=min(threads, len(ranges)),
                on_bytes=on_bytes,
                cancel=cancel,
            )
        done = True
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise Unavailable(
            "The scratch disk is full.", code="scratch_full", wanted_bytes=source.bytes
        ) from error
    finally:
        os.close(descriptor)
        if not done:
            path.unlink(missing_ok=True)


def _write_here(
    client: S3Client,
    source: StoredObject,
    descriptor: int,
    *,
    on_bytes: OnBytes | None,
    cancel: Cancelled | None,
) -> None:
    written = 0
    for block in read_range(client, source, start=0, stop=source.bytes, block_bytes=READ_BYTES):
        if cancel is not None and cancel():
            raise TransferCancelled("The download was cancelled.")
        _write_all(descriptor, block, written)
        written += len(block)
        if on_bytes is not None:
            on_bytes(written)


def _write_in_threads(
    client: S3Client,
    source: StoredObject,
    descriptor: int,
    ranges: list[tuple[int, int]],
    *,
    threads: int,
    on_bytes: OnBytes | None,
    cancel: Cancelled | None,
) -> None:
    """The caller's thread only listens, because heartbeats belong to it."""
    stop = Event()
    arrivals: queue.SimpleQueue[int | None] = queue.SimpleQueue()

    def fetch(start: int, end: int) -> None:
        at = start
        for block in read_range(client, source, start=start, stop=end, block_bytes=READ_BYTES):
            if stop.is_set():
                return
            _write_all(descriptor, block, at)
            at += len(block)
            arrivals.put(len(block))

    with ThreadPoolExecutor(threads, thread_name_prefix="download") as pool:
        try:
            fetches = [pool.submit(fetch, start, end) for start, end in ranges]
            for each in fetches:
                each.add_done_callback(lambda _: arrivals.put(None))
            _listen(fetches, arrivals, on_bytes=on_bytes, cancel=cancel)
        finally:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)


def _listen(
    fetches: list[Future[None]],
    arrivals: queue.SimpleQueue[int | None],
    *,
    on_bytes: OnBytes | None,
    cancel: Cancelled | None,
) -> None:
    """Report arrivals until every fetch is done; the first failure is raised at once."""
    written, waiting = 0, len(fetches)
    while waiting:
        try:
            arrived = arrivals.get(timeout=0.5)
        except queue.Empty:
            arrived = 0
        if cancel is not None and cancel():
            raise TransferCancelled("The download was cancelled.")
        if arrived is None:
            waiting -= 1
            for each in fetches:
                if each.done():
                    each.result()
            continue
        written += arrived
        if arrived and on_bytes is not None:
            on_bytes(written)


def _write_all(descriptor: int, block: bytes, at: int) -> None:
    view = memoryview(block)
    while view:
        count = os.pwrite(descriptor, view, at)
        view, at = view[count:], at + count
