"""An ffmpeg that takes its time over an encode, as a slower machine or a longer video would."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

PACE = 4
"""Seconds of video that are encoded in a second."""


def slow_ffmpeg(folder: Path) -> Path:
    """The real ffmpeg behind a script that lets encodes read their source at a fixed pace."""
    real = shutil.which("ffmpeg")
    assert real is not None
    path = folder / "ffmpeg"
    path.write_text(
        "#!/bin/sh\n"
        'case "$*" in\n'
        f'    *libx264*) exec {real} -readrate {PACE} "$@" ;;\n'
        f'    *) exec {real} "$@" ;;\n'
        "esac\n"
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def decoders_in(folder: Path) -> list[int]:
    """Ids of processes that work below a folder, whoever started them."""
    pids = [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit()]
    return [pid for pid in pids if _works_in(pid, folder)]


def _works_in(pid: int, folder: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").readlink().is_relative_to(folder)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        # It is over, or it is somebody else's.
        return False
