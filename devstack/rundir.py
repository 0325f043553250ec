"""The run directory: all that must be known about a stack after its starter has gone.

`ports.json`, `keys.json`, `pids/PART.json`, `logs/PART.log`, and a folder of data a part.
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from devstack.keys import load_keys
from devstack.ports import PortBook
from devstack.processes import ProcessRecord, is_alive, read_record

WISHED_PORTS = {"api": 8000, "temporal_ui": 8233}


class RunDir:
    def __init__(self, path: Path, *, fixed_ports: Mapping[str, int]) -> None:
        self.path = path.resolve()
        self.book = PortBook(self.path / "ports.json", fixed=fixed_ports, wished=WISHED_PORTS)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """One start or stop at a time; let go of by the kernel if we are killed."""
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def keys(self) -> dict[str, str]:
        self.path.mkdir(parents=True, exist_ok=True)
        return load_keys(self.path / "keys.json")

    def log_path(self, name: str) -> Path:
        return self.path / "logs" / f"{name}.log"

    def mark(self, name: str) -> str:
        """What the environment of the part's process, and of its children, holds."""
        return f"{self.path}:{name}"

    def record(self, name: str) -> ProcessRecord | None:
        """What was started last under this name, alive or not."""
        return read_record(self._record_path(name))

    def live_record(self, name: str) -> ProcessRecord | None:
        record = self.record(name)
        return record if record is not None and is_alive(record) else None

    def write_record(self, name: str, record: ProcessRecord) -> None:
        record.write(self._record_path(name))

    def forget(self, name: str) -> None:
        self._record_path(name).unlink(missing_ok=True)

    def ports_for(self, name: str, uses: Sequence[str]) -> Mapping[str, int]:
        """The ports of the process that runs under this name, or such as are free now."""
        record = self.live_record(name)
        if record is not None:
            return record.ports
        return {use: self.book.take(use) for use in uses}

    def _record_path(self, name: str) -> Path:
        return self.path / "pids" / f"{name}.json"
