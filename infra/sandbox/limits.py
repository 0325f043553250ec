"""What a child may use, and what it used."""

from __future__ import annotations

from dataclasses import dataclass

FRAME_BYTES_MAX = 150_000
"""Of an order to the zygote or an answer; a packet has to fit a Unix socket's buffer."""


@dataclass(frozen=True)
class Limits:
    """The budget of one child process.

    `memory_bytes` bounds the address space (RLIMIT_AS), so that an allocation fails instead
    of the machine swapping; it counts reserved pages too and wants a generous figure.
    `cpu_seconds` counts all threads together. `stall_seconds` is the longest silence on
    stdout; only commands that report progress there should set it.
    """

    cpu_seconds: int
    wall_seconds: float
    memory_bytes: int
    file_bytes: int
    stall_seconds: float | None = None
    open_files: int = 256
    nice: int = 5


@dataclass(frozen=True)
class Usage:
    """What the kernel counted for a child that has ended."""

    cpu_seconds: float
    memory_peak_bytes: int
    wall_seconds: float


@dataclass(frozen=True)
class CommandResult:
    """A command that ended by itself. `returncode` may be other than 0: the caller judges.

    `stdout` is empty where lines were streamed; `stderr_tail` holds the last few KiB.
    """

    returncode: int
    stderr_tail: str
    usage: Usage
    stdout: bytes = b""
