"""A scratch disk that is full: a small one, where we may mount it, is filled; else the workers are
told to keep more of it free than there is."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from chaos.apps import MEDIA_WORKERS
from chaos.families.media import Uploads, photo
from chaos.faults.fault import Fault
from chaos.work import Round

DISK_MIB = 512
FREE_MIB_MIN = 64
MIB = 1024 * 1024
FULL_SECONDS = 12.0
BALLAST = "ballast"
MORE_THAN_THERE_IS = str(2**60)
SETTING = "SCRATCH_FREE_BYTES_MIN"
READERS = ("worker-io", *MEDIA_WORKERS)


@contextmanager
def small_disk(path: Path) -> Iterator[bool]:
    """Mount a disk of our own at `path`, where we may; whether it is there."""
    path.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m,mode=0700", "tmpfs", str(path)]
    is_mounted = os.geteuid() == 0 and _runs(command)
    try:
        yield is_mounted
    finally:
        unmount(path)


def unmount(path: Path) -> None:
    """Where something is mounted."""
    if path.is_mount():
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def _runs(command: Sequence[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


async def fill(round_: Round) -> None:
    scratch = round_.stage.settings.scratch_dir
    if scratch.is_mount():
        await asyncio.to_thread(_write_ballast, scratch / BALLAST)
    else:
        round_.notes.append(f"no disk could be mounted; {SETTING} was raised")
        await _with_setting(round_, MORE_THAN_THERE_IS)
    if Uploads.name in round_.families:
        # One that meets the full disk from its first step on.
        await Uploads(round_).send(photo())


def _write_ballast(path: Path) -> None:
    """Until there is no room for another byte."""
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(MIB)):
                pass
        except OSError:
            return


async def free(round_: Round) -> None:
    scratch = round_.stage.settings.scratch_dir
    if scratch.is_mount():
        (scratch / BALLAST).unlink()
    else:
        await _with_setting(round_, str(FREE_MIB_MIN * MIB))


async def _with_setting(round_: Round, value: str) -> None:
    stack = round_.stage.stack
    stack.given[SETTING] = value
    for name in READERS:
        await asyncio.to_thread(stack.end, name)
    await asyncio.to_thread(stack.start_apps, READERS)


FAULTS: Sequence[Fault] = (
    Fault(
        "scratch-full",
        f"the scratch disk has no byte left, for {FULL_SECONDS:.0f} s",
        fill,
        free,
        lasts_seconds=FULL_SECONDS,
        asks_operator=True,
    ),
)
