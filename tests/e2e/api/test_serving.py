"""What is refused before it is a request."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from api.serving import HEAD_BYTES_MAX
from tests.harness.api import RunningApi

SECONDS = 10
HEAD = b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
CHUNKED = b"POST /api/v1/nothing HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"


@contextmanager
def connected(api: RunningApi) -> Iterator[socket.socket]:
    host, port = api.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=SECONDS) as connection:
        yield connection


def answer_to(connection: socket.socket) -> bytes:
    """All that comes until the server closes; nothing where it has thrown us out."""
    answer = b""
    try:
        while piece := connection.recv(64 * 1024):
            answer += piece
    except ConnectionError:
        pass  # It closed while we were still sending.
    return answer


def accepts(connection: socket.socket, piece: bytes, *, times: int) -> bool:
    """Whether the server goes on taking this."""
    try:
        for _ in range(times):
            connection.sendall(piece)
    except ConnectionError:
        return False
    return True


@pytest.mark.parametrize(
    "piece", [b"a" * 64 * 1024, b"x-a: b\r\n" * 8 * 1024], ids=["one header", "many"]
)
def test_a_head_without_an_end_is_refused(api: RunningApi, piece: bytes) -> None:
    with connected(api) as connection:
        connection.sendall(HEAD + b"x-long: ")
        assert not accepts(connection, piece, times=1000)


def test_a_head_that_is_too_large_is_told_so(api: RunningApi) -> None:
    with connected(api) as connection:
        connection.sendall(HEAD + b"x-long: " + b"a" * HEAD_BYTES_MAX)
        head, _, body = answer_to(connection).partition(b"\r\n\r\n")
    problem = json.loads(body)
    assert head.startswith(b"HTTP/1.1 431 ")
    assert b"content-type: application/problem+json" in head
    assert (problem["status"], problem["code"]) == (431, "head_too_large")
    assert f"x-request-id: {problem['request_id']}".encode() in head


def test_trailers_without_an_end_are_not_read(api: RunningApi) -> None:
    with connected(api) as connection:
        connection.sendall(CHUNKED + b"1\r\nx\r\n0\r\nx-long: ")
        assert not accepts(connection, b"a" * 64 * 1024, times=1000)


def test_a_large_head_that_ends_is_read_and_so_is_the_next(api: RunningApi) -> None:
    with connected(api) as connection:
        large = b"x-long: " + b"a" * (HEAD_BYTES_MAX - 1000) + b"\r\n\r\n"
        connection.sendall(b"GET /livez HTTP/1.1\r\nhost: x\r\n" + large)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
        connection.sendall(HEAD + large)
        assert answer_to(connection).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"nonsense\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nhost: x\r\n\r\n",
        b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"POST /x HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
def test_what_is_no_http_is_a_problem(api: RunningApi, request_bytes: bytes) -> None:
    with connected(api) as connection:
        connection.sendall(request_bytes)
        head, _, body = answer_to(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"content-type: application/problem+json" in head
    assert json.loads(body)["code"] == "not_http"
