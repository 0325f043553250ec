"""An API process that is told to stop: first not ready, then not listening, then gone."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from infra.settings import Settings

ROOT = Path(__file__).parents[3]
START_SECONDS = 60


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


def test_a_process_that_is_told_to_stop_serves_until_nobody_sends_to_it_any_more(
    stack_environment: dict[str, str],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        **{k: v for k, v in os.environ.items() if k.lower() not in Settings.model_fields},
        **stack_environment,
        "API_PORT": str(port),
        "API_DRAIN_SECONDS": "3",
    }
    process = subprocess.Popen([sys.executable, "-m", "api"], cwd=ROOT, env=environment)
    with process, httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:

        def ready() -> int:
            try:
                return client.get("/readyz").status_code
            except httpx2.TransportError:
                return 0

        try:
            until(lambda: ready() == 200)
            process.send_signal(signal.SIGTERM)
            until(lambda: ready() == 503)
            assert client.get("/livez").status_code == 200
            with pytest.raises(httpx2.TransportError):
                while True:
                    client.get("/livez")
                    time.sleep(0.05)
            assert process.wait(START_SECONDS) == 0
        finally:
            process.kill()
