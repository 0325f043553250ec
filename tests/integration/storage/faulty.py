"""Networks and stores that misbehave, written by hand: neither can be made to on request."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

CUT = "cut"
HANG = "hang"


@dataclass
class Proxy:
    """A TCP proxy that lets `bytes_before` bytes of answers through on a connection, then
    cuts it or falls silent, for the first `times` connections that get that far.
    """

    upstream: tuple[str, int]
    bytes_before: int
    times: int
    fault: str = CUT
    faults_made: int = 0
    address: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[Proxy]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.address = f"http://127.0.0.1:{listener.getsockname()[1]}"
            accepting = threading.Thread(target=self._accept, args=(listener,), daemon=True)
            accepting.start()
            try:
                yield self
            finally:
                self._over.set()
                with contextlib.suppress(OSError):
                    listener.shutdown(socket.SHUT_RDWR)
                accepting.join(timeout=5)

    def _accept(self, listener: socket.socket) -> None:
        while not self._over.is_set():
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.create_connection(self.upstream)
            for pump in (self._ask, self._answer):
                threading.Thread(target=pump, args=(client, server), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                server.sendall(data)
        _end(server)

    def _answer(self, client: socket.socket, server: socket.socket) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                if passed + len(data) > self.bytes_before and self._takes_turn():
                    client.sendall(data[: self.bytes_before - passed])
                    if self.fault == HANG:
                        self._over.wait(timeout=30)
                    _end(client)
                    _end(server)
                    return
                client.sendall(data)
                passed += len(data)
        _end(client)

    def _takes_turn(self) -> bool:
        with self._lock:
            if self.faults_made >= self.times:
                return False
            self.faults_made += 1
            return True


def _end(side: socket.socket) -> None:
    """Shut down first: a socket that another thread reads from is not closed by `close`."""
    with contextlib.suppress(OSError):
        side.shutdown(socket.SHUT_RDWR)
    side.close()


def upstream_of(endpoint: str) -> tuple[str, int]:
    parts = urlsplit(endpoint)
    assert parts.hostname is not None and parts.port is not None
    return parts.hostname, parts.port


ERROR_IN_OK = (
    200,
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b"<Error><Code>InternalError</Code><Message>Please try again.</Message></Error>",
)
NO_SUCH_UPLOAD = (
    404,
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b"<Error><Code>NoSuchUpload</Code><Message>It is not open.</Message></Error>",
)
COMPLETED = (
    200,
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b"<CompleteMultipartUploadResult><ETag>&quot;abc-1&quot;</ETag>"
    b"</CompleteMultipartUploadResult>",
)


@dataclass
class ScriptedStore:
    """Answers `complete` from a list (its last entry again and again), and HEAD by whether
    an object is there.
    """

    completions: list[tuple[int, bytes]]
    has_object: bool
    asked: list[str] = field(default_factory=list)
    address: str = ""

    @contextmanager
    def running(self) -> Iterator[ScriptedStore]:
        store = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                store.asked.append("complete")
                turn = min(store.asked.count("complete"), len(store.completions)) - 1
                status, body = store.completions[turn]
                self._answer(status, body)

            def do_HEAD(self) -> None:
                store.asked.append("head")
                self.send_response(200 if store.has_object else 404)
                self.send_header("ETag", '"abc-1"')
                self.send_header("Content-Length", "7")
                self.end_headers()

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Content-Type", "application/xml")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            server.daemon_threads = True
            self.address = f"http://127.0.0.1:{server.server_port}"
            serving = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
            serving.start()
            try:
                yield self
            finally:
                server.shutdown()
                serving.join(timeout=5)
