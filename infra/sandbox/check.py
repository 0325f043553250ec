"""Prove at start-up that this machine confines children as promised."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from infra.sandbox.command import run_command
from infra.sandbox.errors import ChildFailed, SandboxUnavailable
from infra.sandbox.limits import Limits

_PROBE = """
import os, socket, sys
for door in (lambda: socket.socket(), lambda: socket.socketpair(), os.fork):
    try:
        door()
    except PermissionError:
        continue
    sys.exit("a door stands open")
"""


def check_sandbox() -> None:
    """Run a child that tries to reach out. Call it before a worker takes work.

    Raises:
        SandboxUnavailable: limits or the system-call filter can't be set here, or don't
            hold. Decoders must not run then, so the worker must not start.
    """
    limits = Limits(
        cpu_seconds=10, wall_seconds=20, memory_bytes=1 << 30, file_bytes=1 << 20, nice=0
    )
    with tempfile.TemporaryDirectory(prefix="fansworld-check-") as folder:
        try:
            result = run_command(
                [sys.executable, "-I", "-S", "-c", _PROBE], limits=limits, cwd=Path(folder)
            )
        except ChildFailed as error:
            raise SandboxUnavailable(
                f"decoders can't be confined on this machine: {error.message}. The kernel has "
                "to allow seccomp filters (in containers: a seccomp profile that permits prctl)"
            ) from error
    if result.returncode != 0:
        raise SandboxUnavailable(
            f"the confinement of decoders does not hold: {result.stderr_tail.strip()}"
        )
