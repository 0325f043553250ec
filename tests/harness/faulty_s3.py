"""S3 that misbehaves on request: a real store behind a proxy that answers some calls itself.

Written by hand, because no store can be made to lose its answer or to put an error into a 200
at the moment that a test needs it.
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

_ERROR_BODY = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b"<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message>"
    b"</Error>"
)
_DENIED_BODY = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b"<Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>"
)


class Fault(Enum):
    ERROR_IN_200 = "error in 200"
    """`complete` answers 200, and the body is an error; nothing was joined."""
    LOST_ANSWER = "lost answer"
    """`complete` is done, and the connection dies before the answer."""
    REFUSED = "refused"
    """Every call answers 503."""


@dataclass
class FaultyS3:
    """A proxy to a real store. `faults` are used up one for each matching call, in order;
    what is left over when the list is empty goes through.
    """

    upstream: str
    faults: list[Fault] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    """`METHOD operation` of each call."""
    address: str = ""
    _denied: frozenset[tuple[str, str]] = frozenset()
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def deny(self, method: str, path_part: str) -> None:
        """Answer 403 to every such call on a path that holds this, until it is allowed."""
        self._denied |= {(method, path_part)}

    def allow(self, method: str, path_part: str) -> None:
        self._denied -= {(method, path_part)}

    def is_denied(self, method: str, target: str) -> bool:
        path = urlsplit(target).path
        return any(method == each and part in path for each, part in self._denied)

    @contextmanager
    def running(self) -> Iterator[FaultyS3]:
        with ThreadingHTTPServer(("127.0.0.1", 0), _handler_for(self)) as server:
            server.daemon_threads = True
            self.address = f"http://127.0.0.1:{server.server_port}"
            serving = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
            serving.start()
            try:
                yield self
            finally:
                server.shutdown()
                serving.join(timeout=5)

    def count(self, call: str) -> int:
        return self.calls.count(call)

    def note(self, call: str) -> Fault | None:
        """Write the call down; the fault that it shall meet, if any."""
        with self._lock:
            self.calls.append(call)
            if self.faults and (call == "POST complete" or self.faults[0] is Fault.REFUSED):
                return self.faults.pop(0)
            return None


def _operation(method: str, target: str) -> str:
    query = parse_qs(urlsplit(target).query, keep_blank_values=True)
    if "uploadId" in query:
        name = {"POST": "complete", "GET": "list", "DELETE": "abort", "PUT": "part"}[method]
    else:
        name = "create" if "uploads" in query else "object"
    return f"{method} {name}"


def _handler_for(store: FaultyS3) -> type[BaseHTTPRequestHandler]:
    upstream = urlsplit(store.upstream)
    assert upstream.hostname is not None

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            fault = store.note(_operation(self.command, self.path))
            if store.is_denied(self.command, self.path):
                self._answer(403, {"Content-Type": "application/xml"}, _DENIED_BODY)
            elif fault is Fault.REFUSED:
                self._answer(503, {"Content-Type": "application/xml"}, _ERROR_BODY)
            elif fault is Fault.ERROR_IN_200:
                self._answer(200, {"Content-Type": "application/xml"}, _ERROR_BODY)
            else:
                status, headers, answer = self._forward(body)
                if fault is Fault.LOST_ANSWER:
                    self.close_connection = True
                    return
                self._answer(status, headers, answer)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve

        def _forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
            """Headers go on as they came, `Host` too: it is part of the signature."""
            connection = http.client.HTTPConnection(upstream.hostname or "", upstream.port)
            try:
                connection.request(self.command, self.path, body, dict(self.headers))
                answer = connection.getresponse()
                return answer.status, dict(answer.getheaders()), answer.read()
            finally:
                connection.close()

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(name, value)
            length = headers.get("Content-Length", "0") if self.command == "HEAD" else len(body)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    return Handler
