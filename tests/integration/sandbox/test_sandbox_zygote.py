"""Jobs in warm children: what crosses the boundary, what can't, and what survives."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from domain.errors import MediaRejected
from domain.media.rejections import RejectionCode
from infra.sandbox import (
    ChildCancelled,
    ChildCrashed,
    ChildFailed,
    ChildKilled,
    ChildLost,
    ChildOutOfMemory,
    ChildTimedOut,
    ChildWroteTooMuch,
    Limits,
    SandboxUnavailable,
    Usage,
    Zygote,
)

ROOT = Path(__file__).parents[3]
JOBS = "tests.integration.sandbox.zygote_jobs"
LIMITS = Limits(cpu_seconds=10, wall_seconds=20, memory_bytes=1 << 30, file_bytes=1 << 20, nice=0)


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with Zygote(preload=(JOBS, "pyvips", "pillow_heif")) as running:
        yield running


def state_of(pid: int) -> str | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return None


def wait_until_gone(pid: int, seconds: float = 3.0) -> bool:
    """Gone entirely: neither running nor a zombie."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if state_of(pid) is None:
            return True
        time.sleep(0.02)
    return False


def wait_for_pid(pid_file: Path) -> int:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if pid_file.exists() and (text := pid_file.read_text()):
            return int(text)
        time.sleep(0.01)
    raise AssertionError("the child never began")


def test_a_job_runs_in_a_child_of_its_own_and_answers(zygote: Zygote) -> None:
    one = zygote.run(f"{JOBS}:echo", {"text": "é", "n": [1, None]}, limits=LIMITS)
    two = zygote.run(f"{JOBS}:echo", {}, limits=LIMITS)
    assert (one["text"], one["n"]) == ("é", [1, None])
    assert one["parent"] == two["parent"] == zygote.pid
    assert len({one["pid"], two["pid"], os.getpid()}) == 3
    assert wait_until_gone(one["pid"])


def test_a_job_starts_in_milliseconds(zygote: Zygote) -> None:
    """A cold start with libvips takes 200 ms and more."""
    zygote.run(f"{JOBS}:echo", {}, limits=LIMITS)
    taken = []
    for _ in range(10):
        began = time.perf_counter()
        zygote.run(f"{JOBS}:echo", {}, limits=LIMITS)
        taken.append(time.perf_counter() - began)
    assert min(taken) < 0.1


def test_a_child_holds_nothing_of_its_siblings_or_the_worker(
    zygote: Zygote, tmp_path: Path
) -> None:
    cancel = threading.Event()
    with ThreadPoolExecutor() as pool:
        sibling = pool.submit(
            zygote.run,
            f"{JOBS}:sleep",
            {"pid_file": str(tmp_path / "pid")},
            limits=LIMITS,
            cancel=cancel,
        )
        wait_for_pid(tmp_path / "pid")
        held = zygote.run(f"{JOBS}:what_i_hold", {}, limits=LIMITS)
        cancel.set()
        assert isinstance(sibling.exception(), ChildCancelled)
    assert held["descriptors"] == ["/dev/null", "/memfd", "/memfd", "socket"]
    assert held["threads"] == 1
    assert set(held["environment"]) <= {
        *("PATH", "LANG", "HOME", "PYTHONPATH", "MALLOC_ARENA_MAX", "LC_CTYPE"),
        *("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "VIPS_BLOCK_UNTRUSTED", "VIPS_CONCURRENCY"),
        "GLIBC_TUNABLES",
    }


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6, socket.AF_UNIX])
def test_a_child_has_no_network(zygote: Zygote, family: int) -> None:
    assert zygote.run(f"{JOBS}:open_socket", {"family": int(family)}, limits=LIMITS) == {"errno": 1}


@pytest.mark.parametrize("door", ["execute", "fork"])
def test_a_child_starts_no_other_program(zygote: Zygote, door: str) -> None:
    assert zygote.run(f"{JOBS}:{door}", {}, limits=LIMITS) == {"errno": 1}


def test_a_rejection_crosses_the_boundary_with_its_facts(zygote: Zygote) -> None:
    with pytest.raises(MediaRejected) as caught:
        zygote.run(f"{JOBS}:reject", {"frames": 11}, limits=LIMITS)
    assert caught.value.reason is RejectionCode.TOO_MANY_FRAMES
    assert caught.value.facts == {"frames": 11, "frames_max": 10}
    assert caught.value.message == RejectionCode.TOO_MANY_FRAMES.sentence


def test_an_unforeseen_error_is_a_crash_that_says_where(zygote: Zygote) -> None:
    with pytest.raises(ChildCrashed, match="KeyError") as caught:
        zygote.run(f"{JOBS}:fail", {}, limits=LIMITS)
    assert "zygote_jobs.py" in str(caught.value.facts["stderr"])


@pytest.mark.parametrize(
    ("job", "argument", "limits", "error"),
    [
        ("eat_memory", {"bytes": 4 << 30}, LIMITS, ChildOutOfMemory),
        ("abort_for_memory", {}, LIMITS, ChildOutOfMemory),
        ("spin", {}, replace(LIMITS, cpu_seconds=1), ChildTimedOut),
        ("spin", {}, replace(LIMITS, wall_seconds=0.4), ChildTimedOut),
        ("crash", {}, LIMITS, ChildKilled),
        ("leave_silently", {}, LIMITS, ChildCrashed),
        ("talk_too_much", {}, LIMITS, ChildCrashed),
        ("no_such_job", {}, LIMITS, ChildCrashed),
    ],
)
def test_a_failing_child_is_a_typed_error_and_the_zygote_goes_on(
    zygote: Zygote,
    job: str,
    argument: dict[str, int],
    limits: Limits,
    error: type[ChildFailed],
) -> None:
    pid = zygote.pid
    with pytest.raises(ChildFailed) as caught:
        zygote.run(f"{JOBS}:{job}", argument, limits=limits)
    assert type(caught.value) is error
    assert zygote.run(f"{JOBS}:echo", {}, limits=LIMITS)["parent"] == pid


def test_a_file_over_the_limit_ends_the_child(zygote: Zygote, tmp_path: Path) -> None:
    path = tmp_path / "big"
    with pytest.raises(ChildWroteTooMuch):
        zygote.run(f"{JOBS}:write_file", {"path": str(path), "bytes": 4 << 20}, limits=LIMITS)
    assert path.stat().st_size <= LIMITS.file_bytes


def test_cancel_ends_the_child_within_a_second(zygote: Zygote, tmp_path: Path) -> None:
    cancel = threading.Event()
    with ThreadPoolExecutor() as pool:
        job = pool.submit(
            zygote.run,
            f"{JOBS}:sleep",
            {"pid_file": str(tmp_path / "pid")},
            limits=LIMITS,
            cancel=cancel,
        )
        pid = wait_for_pid(tmp_path / "pid")
        began = time.monotonic()
        cancel.set()
        assert isinstance(job.exception(timeout=3), ChildCancelled)
        assert time.monotonic() - began < 1
    assert state_of(pid) is None


class Interrupted(Exception):
    pass


def test_an_exception_raised_from_another_thread_ends_the_child(
    zygote: Zygote, tmp_path: Path
) -> None:
    outcome: list[BaseException] = []

    def work() -> None:
        try:
            zygote.run(f"{JOBS}:sleep", {"pid_file": str(tmp_path / "pid")}, limits=LIMITS)
        except Interrupted as error:
            outcome.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    pid = wait_for_pid(tmp_path / "pid")
    assert thread.ident is not None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread.ident), ctypes.py_object(Interrupted)
    )
    thread.join(3)
    assert len(outcome) == 1
    assert wait_until_gone(pid, 1)


def test_many_threads_share_one_zygote(zygote: Zygote) -> None:
    def ask(n: int) -> bool:
        return bool(zygote.run(f"{JOBS}:echo", {"n": n}, limits=LIMITS)["n"] == n)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(60)))


def test_usage_is_told(zygote: Zygote) -> None:
    told: list[Usage] = []
    zygote.run(f"{JOBS}:eat_memory", {"bytes": 300 << 20}, limits=LIMITS, on_usage=told.append)
    assert told[0].memory_peak_bytes > 300 << 20
    assert told[0].cpu_seconds > 0


def test_a_killed_zygote_is_replaced_and_its_jobs_are_run_again(tmp_path: Path) -> None:
    with Zygote(preload=(JOBS,)) as own:
        first = own.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        assert own.run(f"{JOBS}:echo", {}, limits=LIMITS)["parent"] == own.pid != first
        with ThreadPoolExecutor() as pool:
            cancel = threading.Event()
            job = pool.submit(
                own.run,
                f"{JOBS}:sleep",
                {"pid_file": str(tmp_path / "pid")},
                limits=LIMITS,
                cancel=cancel,
            )
            child = wait_for_pid(tmp_path / "pid")
            assert own.pid is not None
            (tmp_path / "pid").unlink()
            os.kill(own.pid, signal.SIGKILL)
            assert wait_for_pid(tmp_path / "pid") != child
            assert state_of(child) in (None, "Z")
            cancel.set()
            assert isinstance(job.exception(timeout=5), ChildCancelled)


def test_closing_ends_the_zygote_and_its_children(tmp_path: Path) -> None:
    own = Zygote(preload=(JOBS,))
    with ThreadPoolExecutor() as pool:
        cancel = threading.Event()
        job = pool.submit(
            own.run,
            f"{JOBS}:sleep",
            {"pid_file": str(tmp_path / "pid")},
            limits=replace(LIMITS, wall_seconds=1),
            cancel=cancel,
        )
        child = wait_for_pid(tmp_path / "pid")
        nursery = own.pid
        assert nursery is not None
        cancel.set()
        own.close()
        assert isinstance(job.exception(timeout=5), ChildFailed)
    assert (state_of(nursery), state_of(child)) == (None, None)
    with pytest.raises(ChildLost):
        own.run(f"{JOBS}:echo", {}, limits=LIMITS)


def test_a_worker_killed_outright_takes_zygote_and_children_along(tmp_path: Path) -> None:
    code = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from infra.sandbox import Limits, Zygote
limits = Limits(cpu_seconds=20, wall_seconds=60, memory_bytes=1 << 30, file_bytes=1 << 20)
with Zygote(preload=({JOBS!r},)) as zygote:
    print(zygote.pid, flush=True)
    zygote.run({f"{JOBS}:sleep"!r}, {{"pid_file": {str(tmp_path / "pid")!r}}}, limits=limits)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        nursery = int(worker.stdout.readline())
        child = wait_for_pid(tmp_path / "pid")
        worker.kill()
        worker.wait()
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline and not {state_of(nursery), state_of(child)} <= {
            None,
            "Z",
        }:
            time.sleep(0.02)
        assert state_of(child) in (None, "Z")
        assert state_of(nursery) in (None, "Z")


def test_a_zygote_that_would_fork_with_threads_is_refused() -> None:
    own = Zygote(preload=("tests.integration.sandbox.threaded",))
    with pytest.raises(SandboxUnavailable, match="2 threads"):
        own.start()


def test_a_zygote_that_cannot_load_is_refused() -> None:
    with pytest.raises(SandboxUnavailable):
        Zygote(preload=("no.such.module",)).start()
