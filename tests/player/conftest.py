"""hls.js, and a page on the loopback that plays with it."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.harness.browser import browser
from tests.harness.npm import installed

__all__ = ["browser"]

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def hls_js() -> Path:
    """The player as npm has it: the version and the hash of `package-lock.json`, or nothing."""
    return installed(HERE) / "node_modules" / "hls.js" / "dist" / "hls.min.js"


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
