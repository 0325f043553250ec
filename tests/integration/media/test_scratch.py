"""Scratch space: shared originals, dead workers' folders, a full disk."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from activities.scratch import Scratch, kept_tidy
from domain.errors import Unavailable

BODY = b"original" * 1000


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    return Scratch(tmp_path, free_bytes_min=0)


def writer(calls: list[int]) -> Callable[[Path], None]:
    def fetch(path: Path) -> None:
        calls.append(1)
        time.sleep(0.2)
        path.write_bytes(BODY)

    return fetch


def test_an_original_is_fetched_once_by_many_threads(scratch: Scratch) -> None:
    calls: list[int] = []
    seen: list[bytes] = []

    def read() -> None:
        with scratch.original("q/a", size_bytes=len(BODY), fetch=writer(calls)) as path:
            seen.append(path.read_bytes())
            time.sleep(0.3)

    threads = [threading.Thread(target=read) for _ in range(4)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [BODY] * 4
    assert len(calls) == 1
    assert time.monotonic() - started < 1.5, "readers share the lock, they don't queue for it"


def test_who_waits_gives_signs_of_life(scratch: Scratch) -> None:
    held, release = threading.Event(), threading.Event()

    def slow(path: Path) -> None:
        held.set()
        release.wait(10)
        path.write_bytes(BODY)

    def hold() -> None:
        with scratch.original("q/a", size_bytes=len(BODY), fetch=slow):
            return

    first = threading.Thread(target=hold)
    first.start()
    assert held.wait(5)
    beats: list[int] = []

    def beat() -> None:
        beats.append(1)
        if len(beats) == 3:
            release.set()

    with scratch.original("q/a", size_bytes=len(BODY), fetch=slow, on_wait=beat) as path:
        assert path.read_bytes() == BODY
    first.join()
    assert len(beats) >= 3


def test_a_failed_fetch_leaves_nothing_and_can_be_repeated(scratch: Scratch) -> None:
    def broken(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("connection lost")

    with (
        pytest.raises(OSError, match="connection lost"),
        scratch.original("q/a", size_bytes=len(BODY), fetch=broken),
    ):
        pytest.fail("an original that was not fetched was handed out")
    with scratch.original("q/a", size_bytes=len(BODY), fetch=writer([])) as path:
        assert path.read_bytes() == BODY


def test_an_original_of_another_size_is_not_served(scratch: Scratch) -> None:
    with (
        pytest.raises(Unavailable, match="changed its size"),
        scratch.original("q/a", size_bytes=5, fetch=writer([])),
    ):
        pytest.fail("a file of the wrong size was handed out")


def test_a_job_folder_is_gone_after_an_error(scratch: Scratch, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), scratch.job("encode") as folder:
        (folder / "part").write_bytes(b"x")
        raise RuntimeError("encoder failed")
    assert list((tmp_path / "jobs").iterdir()) == []


def _hold_a_job(root: Path, ready: Path) -> None:
    with Scratch(root, free_bytes_min=0).job("encode"):
        ready.touch()
        time.sleep(60)


def test_the_sweep_takes_a_dead_workers_folder_and_leaves_a_live_ones(tmp_path: Path) -> None:
    root, ready = tmp_path / "scratch", tmp_path / "ready"
    child = multiprocessing.get_context("spawn").Process(target=_hold_a_job, args=(root, ready))
    child.start()
    try:
        deadline = time.monotonic() + 30
        while not ready.exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        scratch = Scratch(root, free_bytes_min=0)
        assert scratch.sweep() == 0
        assert len(list((root / "jobs").iterdir())) == 1
    finally:
        child.kill()
        child.join()
    assert scratch.sweep() == 1
    assert list((root / "jobs").iterdir()) == []


def test_the_sweep_spares_an_original_that_is_being_read(scratch: Scratch, tmp_path: Path) -> None:
    with scratch.original("q/a", size_bytes=len(BODY), fetch=writer([])) as path:
        assert scratch.sweep(kept_seconds=0) == 0
        assert path.exists()
    assert scratch.sweep(kept_seconds=0) == 1
    assert list((tmp_path / "originals").iterdir()) == []


async def test_a_worker_clears_up_again_and_again(scratch: Scratch, tmp_path: Path) -> None:
    async with kept_tidy(scratch, every_seconds=0.02):
        for number in range(2):
            with scratch.original("q/a", size_bytes=len(BODY), fetch=writer([])) as path:
                os.utime(path, (0, 0))
            deadline = time.monotonic() + 30
            while list((tmp_path / "originals").iterdir()):
                assert time.monotonic() < deadline, f"round {number}"
                await asyncio.sleep(0.01)


def test_more_than_is_ours_is_refused_and_what_nobody_reads_makes_room(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path, free_bytes_min=0, bytes_max=len(BODY) + 100)
    with scratch.original("q/a", size_bytes=len(BODY), fetch=writer([])):
        with (
            pytest.raises(Unavailable) as refused,
            scratch.original("q/b", size_bytes=len(BODY), fetch=writer([])),
        ):
            pytest.fail("it would be more than is ours")
        assert refused.value.code == "scratch_full"
    with scratch.original("q/b", size_bytes=len(BODY), fetch=writer([])) as path:
        assert path.read_bytes() == BODY


def test_a_full_disk_is_refused_before_a_byte_is_written(tmp_path: Path) -> None:
    free = os.statvfs(tmp_path)
    scratch = Scratch(tmp_path, free_bytes_min=free.f_blocks * free.f_frsize)
    calls: list[int] = []
    with (
        pytest.raises(Unavailable, match="scratch disk is full") as refused,
        scratch.original("q/a", size_bytes=len(BODY), fetch=writer(calls)),
    ):
        pytest.fail("work was begun on a full disk")
    assert refused.value.code == "scratch_full"
    assert calls == []
