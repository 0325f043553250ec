"""Writing objects, one or many at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from infra.storage.connection import storage_faults
from infra.storage.transfers import StoredObject, bare_etag

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

IMMUTABLE = "public, max-age=31536000, immutable"
"""Keys carry the generation, so what a public key holds never changes."""
PRIVATE_IMMUTABLE = "private, max-age=31536000, immutable"


@dataclass(frozen=True)
class PutItem:
    """One of many small objects: its key and its bytes, in memory or in a file."""

    key: str
    body: bytes | Path
    content_type: str
    cache_control: str | None = PRIVATE_IMMUTABLE


class Writer:
    """Its threads start with the first batch and are shared by all batches of the process."""

    def __init__(self, client: S3Client, *, threads: int) -> None:
        self._client = client
        self._threads = threads
        self._threads_pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()

    def close(self) -> None:
        if self._threads_pool is not None:
            self._threads_pool.shutdown(wait=True)

    def put_many(
        self,
        bucket: str,
        items: Iterable[PutItem],
        *,
        on_stored: Callable[[StoredObject], None] | None = None,
    ) -> tuple[StoredObject, ...]:
        """Write small objects side by side; the result is in the order of `items`.

        All or an error: at the first failure what has not begun is dropped, what has begun
        is waited for, and the failure is raised. Objects written by then stay, to be
        written over by the retry. `on_stored` is called in the caller's thread.
        """
        pool = self._pool()
        futures = [pool.submit(self.put, bucket, item) for item in items]
        pending = set(futures)
        try:
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                for each in done:
                    stored = each.result()
                    if on_stored is not None:
                        on_stored(stored)
        finally:
            for each in futures:
                each.cancel()
            wait(futures)
        return tuple(each.result() for each in futures)

    def _pool(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._threads_pool is None:
                self._threads_pool = ThreadPoolExecutor(self._threads, thread_name_prefix="put")
            return self._threads_pool

    def put(self, bucket: str, item: PutItem) -> StoredObject:
        extra = {} if item.cache_control is None else {"CacheControl": item.cache_control}
        with ExitStack() as opened, storage_faults(bucket, item.key):
            body: bytes | BinaryIO
            if isinstance(item.body, bytes):
                body, size = item.body, len(item.body)
            else:
                body = opened.enter_context(item.body.open("rb"))
                size = item.body.stat().st_size
            answer = self._client.put_object(
                Bucket=bucket,
                Key=item.key,
                Body=body,
                ContentType=item.content_type,
                **extra,  # type: ignore[arg-type]
            )
            etag = bare_etag(answer["ETag"])
        return StoredObject(bucket, item.key, size, etag, item.content_type)
