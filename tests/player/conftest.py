"""Pages on the loopback that upload and play: a test's own, and those of `clients/browser`."""

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
from tests.harness.pages import ROOT

__all__ = ["browser"]

HERE = Path(__file__).parent
CLIENT = ROOT / "clients" / "browser"
HLS_JS = Path("node_modules") / "hls.js" / "dist" / "hls.min.js"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """The test's own output says enough."""


@pytest.fixture(scope="session")
def page_origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the pages are served, as `http://127.0.0.1:PORT`. The player is as npm has it: the
    version and the hash of `package-lock.json`, or nothing."""
    site = tmp_path_factory.mktemp("site")
    for page in (HERE / "player.html", *CLIENT.glob("*.html"), *CLIENT.glob("*.js")):
        shutil.copy(page, site)
    (site / HLS_JS).parent.mkdir(parents=True)
    shutil.copy(installed(CLIENT) / HLS_JS, site / HLS_JS)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(site))) as server:
        thread = threading.Thread(target=server.serve_forever, name="site", daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
