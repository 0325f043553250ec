"""Packages of npm that tests use: the versions and the hashes of a lock file, or nothing."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path

from devstack.stack import ROOT

INSTALLED = ROOT / ".run" / "npm"
NPM_SECONDS = 180


def installed(home: Path) -> Path:
    """A folder whose `node_modules` holds what `home/package-lock.json` names; made once."""
    digest = hashlib.sha256((home / "package-lock.json").read_bytes()).hexdigest()[:16]
    folder = INSTALLED / digest
    INSTALLED.mkdir(parents=True, exist_ok=True)
    with (INSTALLED / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _install(home, folder)
            (folder / "done").touch()
    return folder


def with_packages(home: Path, folder: Path) -> None:
    """Copy a project's sources to a folder, where its packages lie as npm would put them."""
    made = shutil.ignore_patterns("node_modules", "dist", "openapi.json", "schema.ts")
    shutil.copytree(home, folder, ignore=made, dirs_exist_ok=True)
    (folder / "node_modules").symlink_to(installed(home) / "node_modules")


def _install(home: Path, folder: Path) -> None:
    folder.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(home / name, folder)
    run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], folder)


def run(command: list[str], folder: Path, env: dict[str, str] | None = None) -> str:
    """What the command prints."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=NPM_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}"
    return done.stdout
