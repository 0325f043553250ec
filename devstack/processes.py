"""Child processes that outlive their starter, and how to find and end them again.

A record on disk names a process by pid, start time and boot, so that a pid that was used
again by somebody else is never mistaken for ours.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

MARK = "DEVSTACK_PART"
LOG_BYTES_MAX = 10 * 1024 * 1024


class _Child(subprocess.Popen[bytes]):
    """A process that may outlive us."""

    def __del__(self) -> None:
        """Say nothing: that it still runs when we end is what it is for."""


_children: list[_Child] = []
"""Kept so that a child that ended is reaped; never waited for."""


@dataclass(frozen=True)
class ProcessRecord:
    """Which process a part is, as written to `pids/PART.json`."""

    pid: int
    start_ticks: int
    boot_id: str
    command: tuple[str, ...]
    ports: Mapping[str, int]
    log_offset: int = 0
    """Where this process's own lines begin in the part's log."""

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps(asdict(self)))
        draft.replace(path)


def read_record(path: Path) -> ProcessRecord | None:
    """The record at `path`; None where there is none, or one cut short by a crash."""
    try:
        facts = json.loads(path.read_text())
        return ProcessRecord(**{**facts, "command": tuple(facts["command"])})
    except (FileNotFoundError, json.JSONDecodeError, KeyError, TypeError):
        return None


def boot_id() -> str:
    """Changes with each boot of the machine; start times count from it."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def start_ticks(pid: int) -> int | None:
    """When `pid` started, in clock ticks since boot; None once it has ended (zombie or gone)."""
    try:
        # Fields after the command's name, which is in brackets and may itself hold any.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def spawn(
    command: Sequence[str],
    *,
    log_path: Path,
    environment: Mapping[str, str],
    ports: Mapping[str, int],
    cwd: Path,
    mark: str,
    user: str | None = None,
) -> ProcessRecord:
    """Start `command` in a session of its own, so that Ctrl-C in the terminal spares it.

    Args:
        mark: put into its environment, by which `marked()` finds it and all its children.

    Raises:
        OSError: when the program can't be started.
    """
    log_path.parent.mkdir(parents=True, exist_ok=True)
    if log_path.exists() and log_path.stat().st_size > LOG_BYTES_MAX:
        log_path.replace(log_path.with_suffix(".log.1"))
    with log_path.open("ab") as log:
        log_offset = log.tell()
        child = _Child(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**environment, MARK: mark},
            cwd=cwd,
            start_new_session=True,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )
    _children.append(child)
    return ProcessRecord(
        pid=child.pid,
        start_ticks=start_ticks(child.pid) or -1,
        boot_id=boot_id(),
        command=tuple(command),
        ports=dict(ports),
        log_offset=log_offset,
    )


def is_alive(record: ProcessRecord) -> bool:
    for child in _children:
        if child.pid == record.pid and child.poll() is not None:
            return False
    return record.boot_id == boot_id() and start_ticks(record.pid) == record.start_ticks


def end(
    record: ProcessRecord,
    *,
    grace_seconds: float,
    stop_signal: signal.Signals = signal.SIGTERM,
) -> bool:
    """End a process: `stop_signal`, then SIGKILL to its whole session group after the grace.

    Returns:
        True when it ended within the grace, or had ended before.
    """
    try:
        descriptor = os.pidfd_open(record.pid)
    except ProcessLookupError:
        return True
    try:
        # Checked while the descriptor holds the process: what we signal is what we checked.
        if not is_alive(record):
            return True
        signal.pidfd_send_signal(descriptor, stop_signal)
        ended = _ended_within(descriptor, grace_seconds)
        # Who is left of its group goes at once: children of a part that did not tidy up.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(record.pid, signal.SIGKILL)
        if not ended:
            _ended_within(descriptor, 10)
    finally:
        os.close(descriptor)
        for child in _children:
            child.poll()
    return ended


def marked(mark: str) -> list[int]:
    """Pids of the live processes that `spawn` marked so, and of their descendants.

    This finds what a record can't: a process whose starter was killed before it could write
    one, and children that left the group of a parent that was killed.
    """
    wanted = f"{MARK}={mark}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            variables = (entry / "environ").read_bytes().split(b"\0")
        except OSError:  # It ended meanwhile, or is somebody else's.
            continue
        if wanted in variables and start_ticks(int(entry.name)) is not None:
            found.append(int(entry.name))
    return found


def end_marked(mark: str) -> None:
    """SIGKILL to every process that carries the mark, until there is none.

    Each is waited for: one that is ending loses its environment, and with it the mark, before it
    lets go of its files and their locks.
    """
    deadline = time.monotonic() + 10
    while (pids := marked(mark)) and time.monotonic() < deadline:
        with contextlib.ExitStack() as opened:
            ending = []
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    descriptor = os.pidfd_open(pid)
                    opened.callback(os.close, descriptor)
                    signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                    ending.append(descriptor)
            for descriptor in ending:
                _ended_within(descriptor, deadline - time.monotonic())


def kill(record: ProcessRecord) -> None:
    """SIGKILL to the one process, as the kernel would do it when memory runs out."""
    if is_alive(record):
        descriptor = os.pidfd_open(record.pid)
        try:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            _ended_within(descriptor, 10)
        finally:
            os.close(descriptor)
            for child in _children:
                child.poll()


def _ended_within(descriptor: int, seconds: float) -> bool:
    """Wait for the process behind a pidfd; it need not be a child of ours."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        readable, _, _ = select.select([descriptor], [], [], left)
        if readable:
            return True
    return False


def log_tail(path: Path, *, offset: int = 0, lines: int = 30) -> str:
    """The last lines that a process wrote to its log, from `offset` on."""
    try:
        with path.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(offset, size - 16_384) if offset <= size else 0)
            text = log.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
