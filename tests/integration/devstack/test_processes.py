"""How processes of the stack are ended."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

from devstack.processes import MARK, end_marked

HOLDER = """
import fcntl, sys, time
lock = open(sys.argv[1], "w")
fcntl.flock(lock, fcntl.LOCK_EX)
memory = bytearray(300_000_000)
for page in range(0, len(memory), 4096):
    memory[page] = 1
print("held", flush=True)
time.sleep(60)
"""
"""The more memory a process has, the longer its end takes from the mark to the locks."""


def test_what_is_ended_has_let_go_of_its_locks(tmp_path: Path) -> None:
    """Or the next server of the same data finds them held, and ends at once."""
    path = tmp_path / "lock"
    mark = str(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        env={**os.environ, MARK: mark},
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        end_marked(mark)
        with path.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
