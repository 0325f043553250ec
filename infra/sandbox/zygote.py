"""Warm, confined children for short jobs: a few milliseconds instead of a cold start."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from domain.errors import MediaRejected
from domain.media.rejections import RejectionCode
from infra.sandbox.errors import (
    ChildCancelled,
    ChildCrashed,
    ChildFailed,
    ChildLost,
    ChildTimedOut,
    SandboxUnavailable,
)
from infra.sandbox.keeper import POLL_SECONDS, fault_of
from infra.sandbox.limits import FRAME_BYTES_MAX, Limits, Usage
from infra.sandbox.telling import telling_of

ROOT = Path(__file__).parents[2]
START_SECONDS_MAX = 60
END_SECONDS_MAX = 2.0
_HEAP = ":".join(
    (
        "glibc.malloc.hugetlb=1",
        "glibc.malloc.mmap_threshold=33554432",
        "glibc.malloc.trim_threshold=268435456",
        "glibc.malloc.top_pad=16777216",
    )
)


@dataclass(frozen=True)
class _Running:
    process: subprocess.Popen[bytes]
    control: socket.socket


class _ZygoteGone(Exception):
    """It ended while it had our job."""


class Zygote:
    """One nursery process and the way to it. Thread-safe; make one for each worker process.

    It starts with the first job, or on entering the context, and again whenever it died.
    """

    def __init__(self, preload: Sequence[str] = ("infra.images.child",)) -> None:
        self._preload = tuple(preload)
        self._lock = threading.Lock()
        self._running: _Running | None = None
        self._closed = False

    def __enter__(self) -> Zygote:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        return self._running.process.pid if self._running else None

    def start(self) -> None:
        """Start it now, if it isn't up.

        Raises:
            SandboxUnavailable: it can't start, or would fork with threads running.
        """
        with self._lock:
            self._closed = False
            self._ensure()

    def close(self) -> None:
        """End it and every job it has; a job that comes later is lost."""
        with self._lock:
            self._closed = True
            self._stop()

    def run(
        self,
        function: str,
        argument: dict[str, Any],
        *,
        limits: Limits,
        cancel: threading.Event | None = None,
        on_usage: Callable[[Usage], object] | None = None,
    ) -> dict[str, Any]:
        """Call `module:function` with `argument` in a fresh confined child; both are JSON.

        Raises:
            MediaRejected: as the function raised it.
            ChildFailed: one of its kinds; see `infra.sandbox.errors`.
        """
        with telling_of(function) as run:

            def note(usage: Usage) -> None:
                run.usage = usage
                if on_usage is not None:
                    on_usage(usage)

            try:
                return self._run_once(function, argument, limits, cancel, note)
            except _ZygoteGone:
                # Somebody killed it, or the machine did: jobs are repeatable, so once more.
                pass
            try:
                return self._run_once(function, argument, limits, cancel, note)
            except _ZygoteGone:
                raise ChildLost("the process that starts decoders died twice") from None

    def _run_once(
        self,
        function: str,
        argument: dict[str, Any],
        limits: Limits,
        cancel: threading.Event | None,
        on_usage: Callable[[Usage], object] | None,
    ) -> dict[str, Any]:
        order = {
            "function": function,
            "argument": argument,
            "limits": {
                "cpu_seconds": limits.cpu_seconds,
                "memory_bytes": limits.memory_bytes,
                "file_bytes": limits.file_bytes,
                "open_files": limits.open_files,
                "nice": limits.nice,
            },
        }
        # However this thread leaves, closing `ours` is what ends the child.
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            began = time.monotonic()
            with theirs:
                running = self._hand_over(json.dumps(order).encode(), theirs)
            try:
                return _await_answer(ours, began, limits, cancel, on_usage)
            except _ZygoteGone:
                self._discard(running)
                raise
        finally:
            ours.close()
            theirs.close()

    def _hand_over(self, order: bytes, channel: socket.socket) -> _Running:
        if len(order) > FRAME_BYTES_MAX:
            raise ChildLost(f"the order is too long ({len(order)} bytes)")
        with self._lock:
            running = self._ensure()
            try:
                socket.send_fds(running.control, [order], [channel.fileno()])
            except OSError as error:
                self._stop()
                raise _ZygoteGone from error
            return running

    def _discard(self, running: _Running) -> None:
        """See off a zygote that closed a job's socket without a word.

        Raises:
            ChildLost: it is still there, so the loss concerns that one job.
        """
        with self._lock:
            if self._running is not running:
                return
            try:
                # Its sockets close a moment before its end can be seen.
                running.process.wait(END_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                raise ChildLost("the child's end was not reported") from None
            self._stop()

    def _ensure(self) -> _Running:
        if self._closed:
            raise ChildLost("the zygote is closed")
        if self._running is not None and self._running.process.poll() is not None:
            self._stop()
        if self._running is None:
            self._running = self._start()
        return self._running

    def _start(self) -> _Running:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(START_SECONDS_MAX)
        with theirs:
            number = str(theirs.fileno())
            process = subprocess.Popen(
                [sys.executable, "-s", "-m", "infra.sandbox.nursery", number, *self._preload],
                stdin=subprocess.DEVNULL,
                cwd="/",
                env=_environment(),
                pass_fds=(theirs.fileno(),),
                process_group=0,
            )
        running = _Running(process, ours)
        try:
            hello = ours.recv(FRAME_BYTES_MAX)
        except OSError as error:
            _end(running)
            raise SandboxUnavailable(f"the zygote did not come up: {error}") from error
        if not hello:
            _end(running)
            raise SandboxUnavailable("the zygote ended while starting; its stderr says why")
        if (threads := json.loads(hello)["threads"]) != 1:
            _end(running)
            raise SandboxUnavailable(f"the zygote has {threads} threads; forks would be unsafe")
        return running

    def _stop(self) -> None:
        if self._running is not None:
            running, self._running = self._running, None
            _end(running)


def _environment() -> dict[str, str]:
    return {
        "PATH": f"/usr/local/bin:{os.defpath}",
        "LANG": "C.UTF-8",
        "HOME": "/nonexistent",
        "PYTHONPATH": str(ROOT),
        # Address space per thread counts against the limit; the zygote may have no thread.
        "MALLOC_ARENA_MAX": "2",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        # A child is born, takes some tens of MB and dies, so most of its time in the kernel
        # is page faults: huge pages and a heap that is not handed back make them a tenth.
        "GLIBC_TUNABLES": _HEAP,
        # Several children keep the cores busy, and each has encoders side by side.
        "VIPS_CONCURRENCY": "1",
        # Refuse the loaders that libvips calls untrusted, before anything is loaded.
        "VIPS_BLOCK_UNTRUSTED": "1",
    }


def _end(running: _Running) -> None:
    """Closing the control socket ends the nursery and its children; a kill makes sure."""
    running.control.close()
    try:
        running.process.wait(END_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        running.process.kill()
        running.process.wait()


def _await_answer(
    channel: socket.socket,
    began: float,
    limits: Limits,
    cancel: threading.Event | None,
    on_usage: Callable[[Usage], object] | None,
) -> dict[str, Any]:
    answer: dict[str, Any] | None = None
    failure: ChildFailed | None = None
    poll = select.poll()
    poll.register(channel, select.POLLIN)
    give_up_at = began + limits.wall_seconds
    while True:
        if poll.poll(POLL_SECONDS * 1000):
            try:
                frame = channel.recv(2 * FRAME_BYTES_MAX)
            except ConnectionError:
                frame = b""
            if not frame:
                raise failure or _ZygoteGone
            message = json.loads(frame)
            if "ended" in message:
                break
            answer = message
        if failure is None:
            failure = _reason_to_end(began, limits, cancel)
            if failure is not None:
                give_up_at = time.monotonic() + END_SECONDS_MAX
                with contextlib.suppress(OSError):  # It ended in this very moment.
                    channel.shutdown(socket.SHUT_WR)
        elif time.monotonic() > give_up_at:
            raise failure
    ended = message["ended"]
    usage = Usage(ended["cpu_seconds"], ended["memory_peak_bytes"], time.monotonic() - began)
    if on_usage is not None:
        on_usage(usage)
    return _judge(answer, ended["code"], ended["stderr"], failure, usage, limits)


def _reason_to_end(
    began: float, limits: Limits, cancel: threading.Event | None
) -> ChildFailed | None:
    if cancel is not None and cancel.is_set():
        return ChildCancelled("the caller cancelled")
    if time.monotonic() - began > limits.wall_seconds:
        return ChildTimedOut(
            f"took longer than {limits.wall_seconds:g} s", wall_seconds=limits.wall_seconds
        )
    return None


def _judge(
    answer: dict[str, Any] | None,
    code: int,
    stderr: str,
    failure: ChildFailed | None,
    usage: Usage,
    limits: Limits,
) -> dict[str, Any]:
    if answer is not None and "result" in answer:
        result: dict[str, Any] = answer["result"]
        return result
    if failure is not None:
        raise failure
    if answer is not None and "rejected" in answer:
        raise MediaRejected(RejectionCode(answer["rejected"]), answer["message"], **answer["facts"])
    crash = str(answer["crashed"]) if answer is not None else ""
    fault = fault_of(code or 1, f"{stderr}\n{crash}", usage, limits)
    raise fault or ChildCrashed(crash or "the child ended without an answer", stderr=stderr[-1500:])
