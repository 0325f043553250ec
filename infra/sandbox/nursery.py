"""The zygote's own process: it loads the decoders once and forks a child for each job.

It has one thread and never decodes anything, so that a fork copies a process at rest: no
lock is held by a thread that the copy lacks. (Measured: libvips and its thread pool start
no thread at import, only with the first operation, which happens in the child.)

Over a control socket come orders: JSON plus one end of a socket pair that belongs to the
job. The child answers on it, the nursery adds how the child ended, and when the other side
closes or shuts down its end, the child is killed. When the worker dies, all of these sockets
close at once, and so nothing outlives it.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from domain.errors import MediaRejected
from infra.sandbox import confine
from infra.sandbox.limits import FRAME_BYTES_MAX

STDERR_TAIL_BYTES = 4000


@dataclass(frozen=True)
class _Job:
    pid: int
    channel: socket.socket
    stderr_fd: int


def main(arguments: list[str]) -> None:
    """Load the modules named after the control socket's number, then serve until it closes."""
    control = socket.socket(fileno=int(arguments[0]))
    for name in arguments[1:]:
        importlib.import_module(name)
    threads = len(list(Path("/proc/self/task").iterdir()))
    # What is loaded now is never freed: keep the collector from touching (copying) it.
    gc.collect()
    gc.freeze()
    control.send(json.dumps({"threads": threads}).encode())
    Nursery(control).serve()


class Nursery:
    """Forks, watches and reaps. Everything happens in one thread, between two polls."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._pid = os.getpid()
        self._jobs: dict[int, _Job] = {}
        """By the number of the job's socket."""
        self._poll = select.poll()
        self._woken, self._wake = os.pipe()
        for descriptor in (self._woken, self._wake):
            os.set_blocking(descriptor, False)

    def serve(self) -> None:
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        self._poll.register(self._control, select.POLLIN)
        self._poll.register(self._woken, select.POLLIN)
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor == self._control.fileno():
                    if not self._take_order():
                        self._end_all()
                        return
                elif descriptor == self._woken:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self._woken, 4096)
                    self._reap()
                elif descriptor in self._jobs:
                    # The other side only ever closes: it has no use for the answer.
                    self._poll.unregister(descriptor)
                    _kill(self._jobs[descriptor].pid)

    def _take_order(self) -> bool:
        data, descriptors, _, _ = socket.recv_fds(self._control, FRAME_BYTES_MAX, 1)
        if not data or not descriptors:
            return False
        channel = socket.socket(fileno=descriptors[0])
        channel.setblocking(False)
        stderr_fd = os.memfd_create("stderr")
        pid = os.fork()
        if pid == 0:
            self._become_child(channel, stderr_fd, data)
        with contextlib.suppress(OSError):  # The child does the same; whoever comes first.
            os.setpgid(pid, pid)
        self._jobs[channel.fileno()] = _Job(pid, channel, stderr_fd)
        self._poll.register(channel, select.POLLIN)
        return True

    def _become_child(self, channel: socket.socket, stderr_fd: int, data: bytes) -> NoReturn:
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.dup2(stderr_fd, 1)
            os.dup2(stderr_fd, 2)
            for descriptor in (self._woken, self._wake, stderr_fd):
                os.close(descriptor)
            self._control.close()
            for job in self._jobs.values():
                job.channel.close()
                os.close(job.stderr_fd)
            channel.setblocking(True)
            order = json.loads(data)
            confine.die_with_parent(self._pid)
            os.setpgid(0, 0)
            confine.set_limits(**order["limits"])
            confine.restore_signals()
            confine.filter_system_calls(may_execute=False)
            answer = _answer(_load(order["function"]), order["argument"])
        except BaseException as error:  # This process must never go on as a second nursery.
            answer = {"crashed": f"{type(error).__name__}: {error}"}
        try:
            os.write(channel.fileno(), json.dumps(answer).encode())
        finally:
            os._exit(0)

    def _reap(self) -> None:
        while True:
            try:
                pid, status, used = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for number, job in list(self._jobs.items()):
                if job.pid == pid:
                    self._bury(number, status, used.ru_utime + used.ru_stime, used.ru_maxrss)

    def _bury(self, number: int, status: int, cpu_seconds: float, peak_kib: int) -> None:
        job = self._jobs.pop(number)
        with contextlib.suppress(KeyError):
            self._poll.unregister(number)
        length = os.fstat(job.stderr_fd).st_size
        tail = os.pread(job.stderr_fd, STDERR_TAIL_BYTES, max(0, length - STDERR_TAIL_BYTES))
        os.close(job.stderr_fd)
        report = {
            "code": os.waitstatus_to_exitcode(status),
            "cpu_seconds": cpu_seconds,
            "memory_peak_bytes": peak_kib * 1024,
            "stderr": tail.decode(errors="replace"),
        }
        with contextlib.suppress(OSError):  # Nobody listens any more.
            job.channel.send(json.dumps({"ended": report}).encode())
        job.channel.close()

    def _end_all(self) -> None:
        for job in self._jobs.values():
            _kill(job.pid)
        for job in self._jobs.values():
            os.waitpid(job.pid, 0)


def _kill(pid: int) -> None:
    """End a child that is not reaped yet, so its number can't belong to another one."""
    for end in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError):
            end(pid, signal.SIGKILL)


def _load(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    module, _, function = name.partition(":")
    loaded: Callable[[dict[str, Any]], dict[str, Any]] = getattr(
        importlib.import_module(module), function
    )
    return loaded


def _answer(
    function: Callable[[dict[str, Any]], dict[str, Any]], argument: dict[str, Any]
) -> dict[str, Any]:
    try:
        answer = {"result": function(argument)}
    except MediaRejected as error:
        return {"rejected": error.code, "message": error.message, "facts": dict(error.facts)}
    except MemoryError:
        return {"crashed": "MemoryError"}
    except Exception as error:
        # Unforeseen, so the parent's log needs to see where it came from.
        traceback.print_exc()
        return {"crashed": f"{type(error).__name__}: {str(error)[:1000]}"}
    if len(json.dumps(answer)) > FRAME_BYTES_MAX:
        return {"crashed": "the answer is too long"}
    return answer


if __name__ == "__main__":
    main(sys.argv[1:])
