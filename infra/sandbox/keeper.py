"""The thread that owns one confined process from its start to its burial."""

from __future__ import annotations

import contextlib
import os
import queue
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from infra.sandbox.errors import (
    ChildFailed,
    ChildKilled,
    ChildLost,
    ChildOutOfMemory,
    ChildStalled,
    ChildTimedOut,
    ChildWroteTooMuch,
    tells_of_memory,
)
from infra.sandbox.limits import CommandResult, Limits, Usage

POLL_SECONDS = 0.1
STDERR_TAIL_BYTES = 8 * 1024
LINE_BYTES_MAX = 64 * 1024
LINES_WAITING_MAX = 1000
DRAIN_SECONDS = 1.0

_LAUNCHER = "import sys; sys.path.append(sys.argv[1]); import confine; confine.main(sys.argv[2:])"


class Keeper:
    """Runs `argv` confined. Other threads may call `start`, `end`, `join` and `outcome`."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        limits: Limits,
        cwd: Path,
        environment: dict[str, str],
        streaming: bool,
        stdout_bytes_max: int,
    ) -> None:
        self.lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        """Lines of stdout where streaming, then None when all is over."""
        self.usage: Usage | None = None
        """Known once the child is reaped, however it ended."""
        self._argv = list(argv)
        self._limits = limits
        self._cwd = cwd
        self._environment = environment
        self._streaming = streaming
        self._stdout_bytes_max = stdout_bytes_max
        self._thread = threading.Thread(target=self._keep, name="sandbox-keeper", daemon=True)
        self._asked_to_end: ChildFailed | None = None
        self._verdict: BaseException | None = None
        self._result: CommandResult | None = None
        self._stdout = bytearray()
        self._stderr = bytearray()

    def start(self) -> None:
        self._thread.start()

    def end(self, reason: ChildFailed) -> None:
        """Ask for the child's end; the first reason stays. Harmless once it has ended."""
        if self._asked_to_end is None:
            self._asked_to_end = reason

    def join(self) -> None:
        """Wait until the child is reaped."""
        while self._thread.is_alive():
            self._thread.join(POLL_SECONDS)

    def outcome(self) -> CommandResult:
        if self._verdict is not None:
            raise self._verdict
        assert self._result is not None
        return self._result

    def _keep(self) -> None:
        try:
            if self._asked_to_end is not None:
                raise self._asked_to_end
            self._result = self._run()
        except BaseException as error:  # Raised again in the caller's thread by `outcome`.
            self._verdict = error
        finally:
            self.lines.put(None)

    def _run(self) -> CommandResult:
        began = time.monotonic()
        status_read, status_write = os.pipe()
        try:
            try:
                process = self._spawn(status_write)
            finally:
                os.close(status_write)
            failure: ChildFailed | None = None
            try:
                failure = self._watch(process, began)
            finally:
                code, cpu_seconds, peak_bytes = _bury(process)
            usage = self.usage = Usage(cpu_seconds, peak_bytes, time.monotonic() - began)
            not_started = os.read(status_read, 4096)
        finally:
            os.close(status_read)
        if not_started:
            raise ChildLost(f"could not start: {not_started.decode(errors='replace')}")
        if failure is not None:
            raise failure
        stderr_tail = self._stderr.decode(errors="replace")
        fault = fault_of(code, stderr_tail, usage, self._limits)
        if fault is not None:
            raise fault
        return CommandResult(code, stderr_tail, usage, bytes(self._stdout))

    def _spawn(self, status_fd: int) -> subprocess.Popen[bytes]:
        limits = self._limits
        numbers = (
            status_fd,
            os.getpid(),
            limits.cpu_seconds,
            limits.memory_bytes,
            limits.file_bytes,
            limits.open_files,
            limits.nice,
        )
        try:
            return subprocess.Popen(
                [
                    *(sys.executable, "-I", "-S", "-c", _LAUNCHER, str(Path(__file__).parent)),
                    *map(str, numbers),
                    *self._argv,
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=self._cwd,
                env=self._environment,
                pass_fds=(status_fd,),
                process_group=0,
                bufsize=0,
            )
        except OSError as error:
            raise ChildLost(f"could not start {self._argv[0]}: {error}") from error

    def _watch(self, process: subprocess.Popen[bytes], began: float) -> ChildFailed | None:
        """Read until the child has ended; return why it has to be ended before that."""
        assert process.stdout is not None and process.stderr is not None
        heard = began
        drain_until: float | None = None
        partial = bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            selector.register(process.stderr, selectors.EVENT_READ)
            while drain_until is None or (selector.get_map() and time.monotonic() < drain_until):
                if self._streaming and self.lines.qsize() > LINES_WAITING_MAX:
                    # The caller is slow: let the pipe fill, which slows the child in turn.
                    time.sleep(POLL_SECONDS)
                    heard = time.monotonic()
                    ready = []
                else:
                    ready = selector.select(POLL_SECONDS if selector.get_map() else 0.003)
                for key, _ in ready:
                    stream: IO[bytes] = key.fileobj  # type: ignore[assignment]
                    chunk = os.read(stream.fileno(), 65536)
                    if not chunk:
                        selector.unregister(stream)
                    elif stream is process.stderr:
                        self._stderr = (self._stderr + chunk)[-STDERR_TAIL_BYTES:]
                    else:
                        heard = time.monotonic()
                        self._take_stdout(chunk, partial)
                if (reason := self._reason_to_end(began, heard)) is not None:
                    return reason
                if drain_until is None and _has_ended(process.pid):
                    _end_group(process.pid)
                    drain_until = time.monotonic() + DRAIN_SECONDS
        if partial:
            self.lines.put(partial.decode(errors="replace"))
        return None

    def _take_stdout(self, chunk: bytes, partial: bytearray) -> None:
        if not self._streaming:
            self._stdout += chunk
            return
        *whole, rest = (bytes(partial) + chunk).split(b"\n")
        partial[:] = rest[-LINE_BYTES_MAX:]
        for line in whole:
            self.lines.put(line.decode(errors="replace").rstrip("\r"))

    def _reason_to_end(self, began: float, heard: float) -> ChildFailed | None:
        now = time.monotonic()
        limits = self._limits
        if self._asked_to_end is not None:
            return self._asked_to_end
        if now - began > limits.wall_seconds:
            return ChildTimedOut(
                f"took longer than {limits.wall_seconds:g} s", wall_seconds=limits.wall_seconds
            )
        if limits.stall_seconds is not None and now - heard > limits.stall_seconds:
            return ChildStalled(
                f"made no progress for {limits.stall_seconds:g} s",
                stall_seconds=limits.stall_seconds,
            )
        if len(self._stdout) > self._stdout_bytes_max:
            return ChildWroteTooMuch(
                f"wrote more than {self._stdout_bytes_max} bytes to stdout",
                bytes_max=self._stdout_bytes_max,
            )
        return None


def _has_ended(pid: int) -> bool:
    """Whether it is a zombie by now, which keeps its pid and group from being reused."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _end_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # Nobody is left in the group.
        os.killpg(pid, signal.SIGKILL)


def _bury(process: subprocess.Popen[bytes]) -> tuple[int, float, int]:
    """End what is left of the group and reap it: exit code, CPU seconds, peak bytes."""
    _end_group(process.pid)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()
    return process.returncode, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024


def fault_of(code: int, stderr_tail: str, usage: Usage, limits: Limits) -> ChildFailed | None:
    """What an exit code (negative: a signal) says, read together with what was used.

    Where memory ran out, a decoder may exit with a message, abort or crash.
    """
    if code == 0:
        return None
    if code == -signal.SIGXCPU or (
        code == -signal.SIGKILL and usage.cpu_seconds >= limits.cpu_seconds
    ):
        return ChildTimedOut(
            f"used more than {limits.cpu_seconds} s of CPU", cpu_seconds=limits.cpu_seconds
        )
    if code == -signal.SIGXFSZ or "file too large" in stderr_tail.lower():
        return ChildWroteTooMuch(
            f"wrote a file of more than {limits.file_bytes} bytes", bytes_max=limits.file_bytes
        )
    if tells_of_memory(stderr_tail):
        return ChildOutOfMemory(
            f"needed more than {limits.memory_bytes} bytes of memory",
            memory_bytes=limits.memory_bytes,
        )
    return ChildKilled(-code, stderr_tail) if code < 0 else None
