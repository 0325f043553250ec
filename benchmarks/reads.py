"""Hot reads of the API against a bare route that runs the same statements.

One process for each server, one client that keeps connections open and asks the two in turn.
"""

from __future__ import annotations

import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson
import psycopg

from api.auth.tokens import mint_token
from benchmarks.reads_rows import crowd, fill, follow_many
from benchmarks.result import Result, compare, in_turn
from devstack.postgres import Postgres
from devstack.stack import ROOT, Stack, settings_from
from devstack.valkey import Valkey
from infra.migrations import upgrade
from infra.queries.access import DECIDE_MANY_SQL
from infra.settings import Settings

REQUESTS = 1500
"""In one round, over all connections; a tenth of it warms up."""
CONNECTIONS = 8
BATCH = 100
DECISION_MS_MAX = 5.0
START_SECONDS = 30


@dataclass(frozen=True)
class Call:
    """One request as bytes, sent again and again over open connections."""

    port: int
    request: bytes


def run(rounds: int) -> list[Result]:
    with tempfile.TemporaryDirectory(prefix="fansworld-reads-") as folder:
        environ = {
            **os.environ,
            "S3_ENDPOINT": "http://127.0.0.1:9",
            "S3_ACCESS_KEY_ID": "bench",
            "S3_SECRET_ACCESS_KEY": "bench",
            "LOG_LEVEL": "WARNING",
            # Counted as ever, and never refused.
            "RATE_LIMIT_API_PER_MINUTE": "1000000000",
        }
        with Stack(Path(folder), parts=(Postgres(), Valkey()), environ=environ) as stack:
            environment = {**environ, **stack.environment}
            settings = settings_from(environment)
            upgrade(settings.database_url)
            fan_id, media_ids = fill(settings)
            with psycopg.connect(settings.psycopg_url, autocommit=True) as connection:
                follow_many(connection, fan_id)
            with (
                _server({**environment, "ACCESS_CACHE_TTL_SECONDS": "0"}, "api") as ours,
                _server(environment, "api") as remembering,
                _server(environment, "benchmarks.bare", fan_id) as bare,
            ):
                token = mint_token(settings, fan_id, ttl_seconds=3600)
                results = [
                    _one(ours, bare, token, media_ids[0], rounds),
                    _feed(ours, bare, token, rounds),
                    _many("decided anew", ours, bare, token, media_ids[:BATCH], rounds),
                    _many("remembered", remembering, bare, token, media_ids[:BATCH], rounds),
                ]
            results.append(_decision(settings, fan_id, media_ids[:BATCH], rounds))
    return results


def _one(ours: int, bare: int, token: str, media_id: str, rounds: int) -> Result:
    mine = Call(ours, _http("GET", f"/api/v1/media/{media_id}", token=token))
    peer = Call(bare, _http("GET", f"/media/{media_id}"))
    return _throughput("GET /media/{id}, entitled, 14 renditions", mine, peer, rounds)


def _feed(ours: int, bare: int, token: str, rounds: int) -> Result:
    mine = Call(ours, _http("GET", "/api/v1/feed", token=token))
    return _throughput(
        "GET /feed, 20 posts of 300 creators", mine, Call(bare, _http("GET", "/feed")), rounds
    )


def _many(how: str, ours: int, bare: int, token: str, media_ids: list[str], rounds: int) -> Result:
    body = orjson.dumps({"media_ids": media_ids})
    mine = Call(ours, _http("POST", "/api/v1/media:batchAccess", token=token, body=body))
    peer = Call(bare, _http("POST", "/media:batchAccess", body=body))
    return _throughput(f"POST /media:batchAccess, {len(media_ids)} ids, {how}", mine, peer, rounds)


def _throughput(name: str, ours: Call, bare: Call, rounds: int) -> Result:
    latencies: list[float] = []

    def measured(call: Call) -> float:
        asyncio.run(_ask(call, REQUESTS // 10))
        begun = time.perf_counter()
        asyncio.run(_ask(call, REQUESTS))
        return REQUESTS / (time.perf_counter() - begun)

    rates = in_turn(rounds, lambda: measured(ours), lambda: measured(bare))
    asyncio.run(_ask(ours, REQUESTS // 5, connections=1, latencies=latencies))
    cuts = statistics.quantiles(latencies, n=100)
    note = f"one at a time: p50 {cuts[49] * 1000:.2f} ms, p99 {cuts[98] * 1000:.2f} ms"
    return compare(name, ours=rates[0], peer=rates[1], unit="requests/s", at_least=0.6, note=note)


def _decision(settings: Settings, fan_id: str, media_ids: list[str], rounds: int) -> Result:
    """The statement alone, as the database takes it, against the time that it may take."""
    params = {
        "viewer_id": fan_id,
        "session_id": None,
        "media_ids": media_ids,
        "now": datetime.now(UTC),
    }
    with psycopg.connect(settings.psycopg_url, autocommit=True) as connection:
        crowd(connection, fan_id)

        def median_ms() -> float:
            spent = []
            for _ in range(50):
                begun = time.perf_counter()
                connection.execute(DECIDE_MANY_SQL, params).fetchall()
                spent.append((time.perf_counter() - begun) * 1000)
            return statistics.median(spent)

        median_ms()
        ours = [median_ms() for _ in range(rounds)]
        [(rights,)] = connection.execute("SELECT count(*) FROM entitlements").fetchall()
    return compare(
        f"access statement for {len(media_ids)} media, p50",
        ours=ours,
        peer=[DECISION_MS_MAX] * rounds,
        unit="ms",
        at_most=1.0,
        note=f"peer is the target; {rights:,} rights; the round trip is counted in",
    )


async def _ask(
    call: Call,
    requests: int,
    *,
    connections: int = CONNECTIONS,
    latencies: list[float] | None = None,
) -> None:
    left = iter(range(requests))

    async def one_connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", call.port)
        for _ in left:
            begun = time.perf_counter()
            writer.write(call.request)
            await _answer(reader)
            if latencies is not None:
                latencies.append(time.perf_counter() - begun)
        writer.close()

    await asyncio.gather(*(one_connection() for _ in range(connections)))


async def _answer(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(head.decode(errors="replace"))
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    await reader.readexactly(int(length))


def _http(method: str, path: str, *, token: str = "", body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: bench", f"Content-Length: {len(body)}"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    if body:
        lines.append("Content-Type: application/json")
    return "\r\n".join([*lines, "", ""]).encode() + body


@contextmanager
def _server(environment: dict[str, str], module: str, *arguments: str) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        env={**environment, "API_PORT": str(port)},
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{module} did not start") from None
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=START_SECONDS)
