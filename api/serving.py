"""How uvicorn serves the API: what is decided before a request reaches the application."""

from __future__ import annotations

import signal
import time
import uuid
from http import HTTPStatus
from types import FrameType
from typing import Any

import orjson
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.middleware import REQUEST_ID_HEADER
from api.problems import MEDIA_TYPE, Problem

HEAD_BYTES_MAX = 64 * 1024


def server_config(app: FastAPI, **options: Any) -> uvicorn.Config:
    """uvicorn's configuration; `options` are its own.

    `X-Forwarded-For` is for `api.clients` to believe or not, by `TRUSTED_PROXIES`: uvicorn would
    take it from whoever is on this machine.
    """
    return uvicorn.Config(
        app,
        http=BoundedHttp,
        proxy_headers=False,
        log_config=None,
        access_log=False,
        server_header=False,
        **options,
    )


class DrainingServer(uvicorn.Server):
    """Told to stop, it is not ready any more (`/readyz`), but goes on serving for a while."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, *, drain_seconds: float) -> None:
        super().__init__(config)
        self._app, self._drain_seconds = app, drain_seconds
        self._stops_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """uvicorn's handler of signals. Who is told twice, or by Ctrl-C, stops at once."""
        if sig != signal.SIGTERM or self._stops_at is not None or not self._drain_seconds:
            super().handle_exit(sig, frame)
            return
        self._app.state.is_stopping = True
        self._stops_at = time.monotonic() + self._drain_seconds

    async def on_tick(self, counter: int) -> bool:
        """Called by uvicorn ten times a second; True ends it."""
        if self._stops_at is not None and time.monotonic() >= self._stops_at:
            self.should_exit = True
        return await super().on_tick(counter)


class BoundedHttp(HttpToolsProtocol):
    """Refuses what is no HTTP as a problem too, and does not read a head without an end.

    uvicorn keeps a request line and headers of any length, and its parser copies a header anew
    with each piece of it that arrives: a few megabytes hold up everybody for seconds. What is
    not body counts, so trailers and extensions of chunks have the same limit.
    """

    _bytes_without_body = 0

    def data_received(self, data: bytes) -> None:
        self._bytes_without_body += len(data)
        super().data_received(data)
        if self._bytes_without_body > HEAD_BYTES_MAX and not self.transport.is_closing():
            if self.cycle is not None and not self.cycle.response_complete:
                self.transport.close()  # An answer is on its way; nothing fits in between.
            else:
                self._refuse(
                    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                    "head_too_large",
                    f"Request line and headers may have up to {HEAD_BYTES_MAX} bytes.",
                )

    def on_headers_complete(self) -> None:
        self._bytes_without_body = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._bytes_without_body = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._bytes_without_body = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """uvicorn calls it for what its parser does not take."""
        self._refuse(HTTPStatus.BAD_REQUEST, "not_http", msg)

    def _refuse(self, status: HTTPStatus, code: str, detail: str) -> None:
        request_id = uuid.uuid4().hex
        problem = Problem(
            type=f"urn:fansworld:problem:{code}",
            title=status.phrase,
            status=status,
            detail=detail,
            instance="/",
            code=code,
            request_id=request_id,
        )
        body = orjson.dumps(problem.model_dump(exclude_none=True))
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\n"
            f"content-type: {MEDIA_TYPE}\r\n"
            f"content-length: {len(body)}\r\n"
            f"{REQUEST_ID_HEADER}: {request_id}\r\n"
            "cache-control: no-store\r\n"
            "x-content-type-options: nosniff\r\n"
            "connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
