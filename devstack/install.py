"""What no wheel carries, installed by apt where it is absent: `python devstack/install.py stack`.

Standard library only: the Makefile runs this before there is an environment of our own.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

SYSTEM_PATHS = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
PYTHON_OLDEST = (3, 11)


class InstallFailed(Exception):
    """Says what to install by hand."""


def _has_program(*names: str) -> Callable[[], bool]:
    path = f"{os.environ.get('PATH', '')}:{SYSTEM_PATHS}"
    return lambda: any(shutil.which(name, path=path) for name in names)


def _has_headers() -> bool:
    return (Path(sysconfig.get_path("include")) / "Python.h").exists()


def _has_venv() -> bool:
    return importlib.util.find_spec("ensurepip") is not None


@dataclass(frozen=True)
class Need:
    package: str
    """Debian's name."""
    is_met: Callable[[], bool]


_NPM = (Need("nodejs", _has_program("node")), Need("npm", _has_program("npm")))

NEEDS: dict[str, tuple[Need, ...]] = {
    "build": (
        Need("python3-venv", _has_venv),
        # pdqhash has wheels for macOS and Windows only; elsewhere it is compiled.
        Need("g++", _has_program("c++", "g++", "clang++")),
        Need("python3-dev", _has_headers),
    ),
    "stack": (
        Need("ffmpeg", _has_program("ffmpeg")),
        Need("ffmpeg", _has_program("ffprobe")),
        Need("clamav-daemon", _has_program("clamd")),
    ),
    "tests": (
        Need("chromium", _has_program("chromium", "chromium-browser", "google-chrome")),
        Need("curl", _has_program("curl")),
        # For promtool, which tries the alert rules.
        Need("prometheus", _has_program("promtool")),
        *_NPM,
    ),
    "bench": _NPM,
}


def missing_packages(purposes: Sequence[str]) -> list[str]:
    """Packages of which something is not on this machine, each once, in a stable order."""
    needs = [need for purpose in purposes for need in NEEDS[purpose]]
    return list(dict.fromkeys(need.package for need in needs if not need.is_met()))


def install(purposes: Sequence[str], *, say: Callable[[str], object]) -> None:
    """Install what is missing, as root or through sudo.

    Raises:
        InstallFailed: there is no apt, no right to use it, or it failed.
    """
    packages = missing_packages(purposes)
    if not packages:
        return
    apt_get = _apt_get(packages)
    say(f"installing {' '.join(packages)} …")
    for arguments in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        done = subprocess.run([*apt_get, *arguments], capture_output=True, text=True)
        if done.returncode != 0:
            tail = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
            raise InstallFailed(f"`apt-get {' '.join(arguments)}` failed:\n{tail}")
    if still := missing_packages(purposes):
        raise InstallFailed(_by_hand(still))


def _apt_get(packages: Sequence[str]) -> list[str]:
    quiet = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
    if shutil.which("apt-get") is None:
        raise InstallFailed(_by_hand(packages))
    if os.geteuid() == 0:
        return quiet
    # -n: never ask for a password in the middle of a make target.
    may_sudo = shutil.which("sudo") and subprocess.run(["sudo", "-n", "true"], capture_output=True)
    if may_sudo and may_sudo.returncode == 0:
        return ["sudo", "-n", *quiet]
    raise InstallFailed(_by_hand(packages))


def _by_hand(packages: Sequence[str]) -> str:
    return (
        f"missing on this machine: {', '.join(packages)} (Debian's names)\n"
        f"Neither root nor a sudo without password is at hand, or apt has no such package "
        f"for this Python ({sys.executable}). Install them, for example by\n"
        f"    sudo apt-get install {' '.join(packages)}\n"
        "and run the same command again."
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("purposes", nargs="*", choices=[*NEEDS, []], default=["stack"])
    options = parser.parse_args(arguments)
    if sys.version_info < PYTHON_OLDEST:
        wanted = ".".join(map(str, PYTHON_OLDEST))
        print(f"Python {wanted} or newer is needed; {sys.executable} is {sys.version.split()[0]}.")
        return 1
    try:
        install(options.purposes, say=lambda line: print(line, flush=True))
    except InstallFailed as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
