"""The CDN's purge hook: a server of the operator's, so there is none to test with but this."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class PurgeHook:
    """Answers every call with `status` and keeps it: headers and body."""

    status: int = 204
    calls: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    address: str = ""

    def purged(self) -> list[list[str]]:
        """The paths of each call."""
        return [json.loads(body)["paths"] for _, body in self.calls]

    @contextmanager
    def running(self) -> Iterator[PurgeHook]:
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.calls.append((dict(self.headers), body))
                self.send_response(hook.status)
                if hook.status // 100 == 3:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()

            do_GET = do_POST

            def log_message(self, *_: object) -> None:
                return

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            server.daemon_threads = True
            self.address = f"http://127.0.0.1:{server.server_port}/purge"
            serving = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
            serving.start()
            try:
                yield self
            finally:
                server.shutdown()
                serving.join(timeout=5)
