"""Reads and downloads, also over connections that break, hang, or lead to another version."""

from __future__ import annotations

import hashlib
import os
import resource
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from domain.errors import NotFound, PreconditionFailed, Unavailable
from infra.settings import Settings
from infra.storage import Storage, TransferCancelled
from infra.storage.transfers import STALLS_MAX
from tests.integration.storage.faulty import CUT, HANG, Proxy, upstream_of

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def large() -> bytes:
    """More than two ranges of a parallel download."""
    return os.urandom(40 * MIB + 123)


@pytest.fixture(scope="module")
def stored(storage: Storage, large: bytes) -> str:
    """Its key; tests that change an object store another one."""
    key = f"t/{uuid.uuid4()}/original"
    storage.put_bytes(storage.media, key, large, content_type="video/mp4")
    return key


@pytest.fixture
def changing(storage: Storage, key: str, large: bytes) -> str:
    storage.put_bytes(storage.media, key, large[: 20 * MIB], content_type="video/mp4")
    return key


@contextmanager
def behind(settings: Settings, proxy: Proxy, **changed: object) -> Iterator[Storage]:
    """Storage whose connections all go through `proxy`."""
    with proxy.running():
        reached = Storage(settings.model_copy(update={"s3_endpoint": proxy.address, **changed}))
        try:
            yield reached
        finally:
            reached.close()


def proxy_to(settings: Settings, *, bytes_before: int, times: int, fault: str = CUT) -> Proxy:
    assert settings.s3_endpoint is not None
    return Proxy(upstream_of(settings.s3_endpoint), bytes_before, times, fault)


def test_blocks_are_the_object_from_its_first_byte_to_its_last(
    storage: Storage, stored: str, large: bytes
) -> None:
    blocks = list(storage.read_blocks(storage.media, stored, block_bytes=4 * MIB))
    assert b"".join(blocks) == large
    assert max(map(len, blocks)) <= 4 * MIB


def test_a_stream_resumes_where_its_connection_was_cut(
    settings: Settings, stored: str, large: bytes
) -> None:
    proxy = proxy_to(settings, bytes_before=9 * MIB, times=3)
    with behind(settings, proxy) as reached:
        digest = hashlib.sha256()
        for block in reached.read_blocks(reached.media, stored):
            digest.update(block)
    assert proxy.faults_made == 3
    assert digest.digest() == hashlib.sha256(large).digest()


def test_a_stream_resumes_after_a_connection_fell_silent(
    settings: Settings, stored: str, large: bytes
) -> None:
    proxy = proxy_to(settings, bytes_before=9 * MIB, times=1, fault=HANG)
    with behind(settings, proxy, s3_read_timeout_seconds=0.5) as reached:
        assert reached.read(reached.media, stored) == large
    assert proxy.faults_made == 1


def test_a_store_that_keeps_breaking_off_is_given_up(settings: Settings, stored: str) -> None:
    proxy = proxy_to(settings, bytes_before=9 * MIB, times=1)
    with behind(settings, proxy) as reached:
        blocks = reached.read_blocks(reached.media, stored)
        next(blocks)
        # From now on no connection brings a byte of the body.
        proxy.bytes_before, proxy.times = 0, 1000
        with pytest.raises(Unavailable):
            for _ in blocks:
                pass
    assert proxy.faults_made >= STALLS_MAX


@pytest.mark.parametrize("bytes_before", [60, 200, 300])
def test_an_answer_cut_off_inside_its_headers_may_pass(
    settings: Settings, stored: str, bytes_before: int
) -> None:
    """Such an answer looks whole to HTTP parsers, with fields missing or cut short."""
    proxy = proxy_to(settings, bytes_before=bytes_before, times=1000)
    with behind(settings, proxy) as reached, pytest.raises(Unavailable):
        reached.read(reached.media, stored)


def test_a_stream_never_mixes_two_versions(
    settings: Settings, storage: Storage, changing: str, large: bytes
) -> None:
    proxy = proxy_to(settings, bytes_before=9 * MIB, times=1)
    with behind(settings, proxy) as reached:
        blocks = reached.read_blocks(reached.media, changing)
        next(blocks)
        storage.put_bytes(storage.media, changing, large[::-1], content_type="video/mp4")
        with pytest.raises(PreconditionFailed):
            for _ in blocks:
                pass


def test_an_object_that_is_deleted_meanwhile_is_not_found(
    settings: Settings, storage: Storage, changing: str
) -> None:
    proxy = proxy_to(settings, bytes_before=9 * MIB, times=1)
    with behind(settings, proxy) as reached:
        blocks = reached.read_blocks(reached.media, changing)
        next(blocks)
        storage.delete(storage.media, changing)
        with pytest.raises(NotFound):
            for _ in blocks:
                pass


def test_what_is_not_there_is_not_found(storage: Storage, key: str, tmp_path: Path) -> None:
    assert storage.head(storage.media, key) is None
    with pytest.raises(NotFound):
        storage.read(storage.media, key)
    with pytest.raises(NotFound):
        storage.download(storage.media, key, tmp_path / "file")
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("cuts", [0, 3])
def test_a_download_is_the_object_and_reports_in_the_callers_thread(
    settings: Settings, stored: str, large: bytes, tmp_path: Path, threads: int, cuts: int
) -> None:
    told: list[int] = []

    def on_bytes(done: int) -> None:
        assert threading.current_thread() is threading.main_thread()
        told.append(done)

    proxy = proxy_to(settings, bytes_before=9 * MIB, times=cuts)
    with behind(settings, proxy, s3_read_threads=threads) as reached:
        reached.download(reached.media, stored, tmp_path / "file", on_bytes=on_bytes)
    assert (proxy.faults_made > 0) is (cuts > 0)
    assert (tmp_path / "file").read_bytes() == large
    assert told == sorted(told)
    assert told[-1] == len(large)


@pytest.mark.parametrize("threads", [1, 4])
def test_a_cancelled_download_leaves_neither_file_nor_threads(
    settings: Settings, stored: str, tmp_path: Path, threads: int
) -> None:
    told: list[int] = []
    reader = Storage(settings.model_copy(update={"s3_read_threads": threads}))
    with pytest.raises(TransferCancelled):
        reader.download(
            reader.media,
            stored,
            tmp_path / "file",
            on_bytes=told.append,
            cancel=lambda: len(told) >= 3,
        )
    reader.close()
    assert list(tmp_path.iterdir()) == []
    assert not [each for each in threading.enumerate() if each.name.startswith("download")]


@pytest.mark.parametrize("threads", [1, 4])
def test_what_the_listener_raises_ends_the_download(
    settings: Settings, stored: str, tmp_path: Path, threads: int
) -> None:
    """Temporal cancels an activity by an exception in its thread, often in a heartbeat."""

    def on_bytes(done: int) -> None:
        raise InterruptedError(done)

    reader = Storage(settings.model_copy(update={"s3_read_threads": threads}))
    with pytest.raises(InterruptedError):
        reader.download(reader.media, stored, tmp_path / "file", on_bytes=on_bytes)
    reader.close()
    assert list(tmp_path.iterdir()) == []


def test_an_empty_object_is_an_empty_file(storage: Storage, key: str, tmp_path: Path) -> None:
    storage.put_bytes(storage.media, key, b"", content_type="text/plain")
    assert storage.download(storage.media, key, tmp_path / "file").bytes == 0
    assert (tmp_path / "file").read_bytes() == b""
    assert storage.read(storage.media, key) == b""


def test_a_full_disk_may_pass_and_leaves_no_file(
    storage: Storage, stored: str, tmp_path: Path
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, hard))
    try:
        with pytest.raises(Unavailable) as failure:
            storage.download(storage.media, stored, tmp_path / "file")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert failure.value.code == "scratch_full"
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_is_down_is_unavailable(settings: Settings) -> None:
    with Proxy(("127.0.0.1", 9), bytes_before=0, times=0).running() as proxy:
        address = proxy.address
    down = Storage(settings.model_copy(update={"s3_endpoint": address}))
    with pytest.raises(Unavailable):
        down.head(down.media, "k")
    with pytest.raises(Unavailable):
        down.check()
    down.close()


def test_keys_that_the_store_refuses_are_told_apart(settings: Settings) -> None:
    stranger = Storage(settings.model_copy(update={"s3_access_key_id": "somebody-else"}))
    with pytest.raises(Unavailable) as failure:
        list(stranger.list_prefix(stranger.media, "m/"))
    assert failure.value.code == "storage_denied"
    stranger.close()
