"""Free ports, kept in the run directory so that addresses survive a restart.

They are taken below the kernel's ephemeral range: a port from within it may be given to
somebody's outgoing connection between our look and the part's bind.
"""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Mapping
from pathlib import Path

LOWEST, HIGHEST = 20_000, 32_000
TRIES = 200


class NoFreePort(Exception):
    """Two hundred random ports were all taken."""


def is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1:`port` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections in TIME_WAIT are no hindrance, a listener is.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class PortBook:
    """Which port has which use. Not for use by two processes at a time: hold the stack's lock."""

    def __init__(self, path: Path, *, fixed: Mapping[str, int], wished: Mapping[str, int]) -> None:
        """`fixed` ports are used even if taken; `wished` ones only if free at the first time."""
        self._path = path
        self._fixed = fixed
        self._wished = wished

    def is_fixed(self, use: str) -> bool:
        return use in self._fixed

    def take(self, use: str) -> int:
        """The port for `use`: the fixed one, the remembered one if still free, or a new one."""
        if use in self._fixed:
            return self._fixed[use]
        book = self._read()
        remembered = book.get(use)
        if remembered is None or not is_free(remembered):
            book[use] = self._choose(use, taken=set(book.values()) | set(self._fixed.values()))
            self._write(book)
        return book[use]

    def _choose(self, use: str, *, taken: set[int]) -> int:
        wish = self._wished.get(use)
        if wish is not None and wish not in taken and is_free(wish):
            return wish
        for _ in range(TRIES):
            port = random.randint(LOWEST, HIGHEST)
            if port not in taken and is_free(port):
                return port
        raise NoFreePort(f"no free port between {LOWEST} and {HIGHEST} on 127.0.0.1")

    def _read(self) -> dict[str, int]:
        try:
            book: dict[str, int] = json.loads(self._path.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return {}
        return book

    def _write(self, book: Mapping[str, int]) -> None:
        draft = self._path.with_suffix(".new")
        draft.write_text(json.dumps(book, indent=1, sort_keys=True))
        draft.replace(self._path)
