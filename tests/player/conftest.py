"""hls.js, and a page on the loopback that plays with it."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from devstack.stack import ROOT
from tests.harness.browser import browser

__all__ = ["browser"]

HERE = Path(__file__).parent
INSTALLED = ROOT / ".run" / "player"
NPM_SECONDS = 120


@pytest.fixture(scope="session")
def hls_js() -> Path:
    """The player as npm has it: the version and the hash of `package-lock.json`, or nothing."""
    lock_file = (HERE / "package-lock.json").read_bytes()
    folder = INSTALLED / hashlib.sha256(lock_file).hexdigest()[:16]
    script = folder / "node_modules" / "hls.js" / "dist" / "hls.min.js"
    INSTALLED.mkdir(parents=True, exist_ok=True)
    with (INSTALLED / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not script.exists():
            _install(folder)
    return script


def _install(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder)
    done = subprocess.run(
        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=NPM_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"`npm ci` failed:\n{done.stdout}{done.stderr}"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """The test's own output says enough."""


@pytest.fixture(scope="session")
def page_origin(hls_js: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the page is served, as `http://127.0.0.1:PORT`."""
    site = tmp_path_factory.mktemp("site")
    shutil.copy(HERE / "player.html", site)
    shutil.copy(hls_js, site / "hls.js")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(site))) as server:
        thread = threading.Thread(target=server.serve_forever, name="site", daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
