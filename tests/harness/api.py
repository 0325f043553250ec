"""The API as a client meets it: uvicorn on a port of its own, spoken to over HTTP."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx2 as httpx
import pytest
import uvicorn
from fastapi import FastAPI

from api.app import create_app
from api.auth.tokens import mint_token
from api.serving import server_config
from infra.models import User
from infra.settings import Settings
from infra.storage import Storage
from tests.harness.said import Said

START_SECONDS = 20
CALL_SECONDS = 30


@dataclass
class RunningApi:
    """One API server and clients of it."""

    url: str
    settings: Settings
    said: Said
    _clients: list[httpx.Client] = field(default_factory=list)

    def client(self, user: User | None = None, *, token: str | None = None) -> httpx.Client:
        """A client signed in as `user`, or with a token as given, or as nobody."""
        if user is not None:
            token = mint_token(self.settings, user.id)
        headers = {"authorization": f"Bearer {token}"} if token is not None else {}
        # Loading certificates that no test needs takes longer than most of its calls.
        client = httpx.Client(
            base_url=self.url,
            headers=headers,
            timeout=CALL_SECONDS,
            verify=False,
            trust_env=False,
            event_hooks={"response": [self.said.check]},
        )
        self._clients.append(client)
        return client

    def close_clients(self) -> None:
        while self._clients:
            self._clients.pop().close()


class StartApi(Protocol):
    def __call__(self, **changes: Any) -> RunningApi: ...


def _tell_where_it_hangs() -> None:
    """The stacks of all threads, and of all tasks of every loop that still runs."""
    faulthandler.dump_traceback(file=2, all_threads=True)
    for loop in [each for each in gc.get_objects() if isinstance(each, asyncio.AbstractEventLoop)]:
        if loop.is_running():
            for task in asyncio.all_tasks(loop):
                task.print_stack(file=sys.__stderr__)


_documents: list[Said] = []
"""The one that has been made: it is the same for all settings, and takes half a second."""


def _said(app: FastAPI) -> Said:
    if not _documents:
        _documents.append(Said(app.openapi()))
    return _documents[0]


@contextmanager
def serving(settings: Settings) -> Iterator[RunningApi]:
    """Serve the API on these settings, on a free port, until the block is left."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        settings = settings.model_copy(update={"api_public_url": url})
        app = create_app(settings)
        server = uvicorn.Server(server_config(app, timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, args=([listener],), name="api", daemon=True)
        thread.start()
        _wait_until_started(server, thread)
        running = RunningApi(url, settings, _said(app))
        try:
            yield running
        finally:
            running.close_clients()
            server.should_exit = True
            thread.join(START_SECONDS)
            if thread.is_alive():
                _tell_where_it_hangs()
                raise AssertionError("the API did not stop; see standard error for where it is")


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not server.started:
        assert thread.is_alive() and time.monotonic() < deadline, "the API did not start"
        time.sleep(0.01)


@pytest.fixture(scope="session")
def _shared_api(settings: Settings, storage: Storage) -> Iterator[RunningApi]:
    del storage  # Asked for, because it makes the buckets.
    with serving(settings) as running:
        yield running


@pytest.fixture
def api(_shared_api: RunningApi, engine: object) -> Iterator[RunningApi]:
    """The API on this worker's share of the stack; every table is emptied after the test."""
    del engine
    yield _shared_api
    _shared_api.close_clients()


@pytest.fixture
def start_api(settings: Settings, storage: Storage, engine: object) -> Iterator[StartApi]:
    """Start another API whose settings differ: `start_api(upload_open_max=1)`."""
    del storage, engine
    opened: list[Any] = []

    def start(**changes: Any) -> RunningApi:
        context = serving(settings.model_copy(update=changes))
        opened.append(context)
        return context.__enter__()

    yield start
    while opened:
        opened.pop().__exit__(None, None, None)
