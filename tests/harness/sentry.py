"""Stands in for Sentry on loopback, and keeps what it is sent."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

POLL_SECONDS = 0.02


@dataclass
class Sentry:
    dsn: str = ""
    raw: list[bytes] = field(default_factory=list)

    @property
    def events(self) -> list[dict[str, Any]]:
        """An envelope is lines of JSON: its head, then a head and a body for each item."""
        found = []
        for envelope in self.raw:
            _, *items = envelope.splitlines()
            for head, body in zip(items[::2], items[1::2], strict=True):
                if json.loads(head)["type"] == "event":
                    found.append(json.loads(body))
        return found


@contextmanager
def sentry_on_loopback() -> Iterator[Sentry]:
    sentry = Sentry()

    class Receive(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            is_packed = self.headers.get("content-encoding") == "gzip"
            sentry.raw.append(gzip.decompress(body) if is_packed else body)
            self.send_response(200)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Receive) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,), daemon=True).start()
        sentry.dsn = f"http://0123456789abcdef@127.0.0.1:{server.server_address[1]}/7"
        yield sentry
        server.shutdown()
