"""Processor time of processes and of everything that they have started, from /proc."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def processor_seconds(roots: Collection[int]) -> float:
    """User and system time of these processes and of all below them, those that have ended and
    were waited for among them."""
    return sum(
        sum(int(ticks) for ticks in fields[11:15]) / _TICKS for fields in _below(roots).values()
    )


def resident_bytes(roots: Collection[int]) -> int:
    """Memory that they hold now."""
    return sum(int(fields[21]) * _PAGE for fields in _below(roots).values())


def _below(roots: Collection[int]) -> dict[int, list[str]]:
    """Fields of /proc/PID/stat from the third on, of the roots and all below them."""
    everybody = _everybody()
    children: dict[int, list[int]] = {}
    for pid, fields in everybody.items():
        children.setdefault(int(fields[1]), []).append(pid)
    found: dict[int, list[str]] = {}
    waiting = [pid for pid in roots if pid in everybody]
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found[pid] = everybody[pid]
            waiting += children.get(pid, [])
    return found


def _everybody() -> dict[int, list[str]]:
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # What follows the command's name, which is in brackets and may itself hold any.
            found[int(entry.name)] = (entry / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found
