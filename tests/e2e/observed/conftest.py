"""One picture goes through API and workers, with everything on that watches them."""

from __future__ import annotations

import asyncio
import re
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.request import urlopen

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy import Engine
from temporalio.client import Client

from devstack.databases import empty_tables
from domain.ids import ingest_workflow_id
from domain.ledger.accounts import AccountKind, OwnerType
from domain.stripe_events import EventState, ParkedBecause
from infra.antivirus import Antivirus
from infra.db import transaction
from infra.ids import new_id
from infra.metrics.serving import runtime_with_metrics
from infra.models import Backup, LedgerAccount, Reconciliation, StripeEvent
from infra.redis import ProgressEvent, make_valkey, publish_progress
from infra.spans import start_tracing
from infra.storage import Storage
from infra.temporal import connect
from ops.monitor import asking
from ops.monitor.gauges import Latest
from tests.e2e.media import pictures
from tests.e2e.media.platform import Platform, deployed
from tests.harness.collector import Collector, collecting
from workflows.queues import Queue, queue_name

HANDLE = "ida.is-watched"
FILE_NAME = "ida-at-the-lake.png"


@dataclass(frozen=True)
class Scraped:
    """Names of samples that a scrape of each process has, with the labels they come with."""

    api: dict[str, set[str]]
    worker: dict[str, set[str]]
    monitor: dict[str, set[str]]

    @property
    def everything(self) -> dict[str, set[str]]:
        merged: dict[str, set[str]] = {}
        for each in (self.api, self.worker, self.monitor):
            for name, labels in each.items():
                merged.setdefault(name, set()).update(labels)
        return merged


@dataclass(frozen=True)
class Observed:
    platform: Platform
    media_id: str
    scraped: Scraped
    collector: Collector
    """Holds every span of it."""


@pytest.fixture(scope="module")
def observed(
    stack_environment: dict[str, str], storage: Storage, worker_engine: Engine
) -> Iterator[Observed]:
    address = f"127.0.0.1:{_free_port()}"
    with (
        collecting() as collector,
        deployed(
            stack_environment,
            name="observed",
            storage=storage,
            engine=worker_engine,
            CLAMD_STREAM_BYTES_MAX="4000",
            SCAN_OVER_LIMIT_POLICY="block",
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
            TRACE_SAMPLE_RATIO="1",
        ) as platform,
    ):
        stop_tracing = start_tracing(platform.settings, service="fansworld")
        runtime = runtime_with_metrics(address)
        platform.temporal = platform.loop.run(connect(platform.settings, runtime=runtime))
        with platform.working():
            creator = platform.creator(HANDLE)
            media_id = creator.upload(replace(pictures.flat(120), name=FILE_NAME))
            creator.ready(media_id)
            platform.until_run_over(media_id)
            _plant(worker_engine)
            # Larger than the scanner takes here, so an operator has to decide.
            stuck = ingest_workflow_id(creator.upload(pictures.letter()))
            platform.ask(lambda client: _listed(client, stuck))
            _lose_progress(platform, media_id)
            broken = platform.ask(lambda client: _broken(client, platform))
            _until_told(address, "temporal_workflow_task_execution_failed")
            with _dated_clamd() as clamd_address:
                monitored = _parsed(_monitored(platform, clamd_address))
            scraped = Scraped(
                api=_parsed(_fetched(f"{platform.api.url}/metrics")),
                worker=_parsed(_fetched(f"http://{address}/metrics")),
                monitor=monitored,
            )
            for run_id in (stuck, broken):
                platform.ask(lambda client, run_id=run_id: _end(client, run_id))  # type: ignore[misc]
        stop_tracing()
        yield Observed(platform, media_id, scraped, collector)
    empty_tables(worker_engine)


def _lose_progress(platform: Platform, media_id: str) -> None:
    """Valkey is away for one event."""
    gone = platform.settings.model_copy(update={"valkey_url": "redis://127.0.0.1:9/0"})
    event = ProgressEvent(media_id, 1, None, 0, None, "processing", datetime.now(UTC))
    with make_valkey(gone) as valkey:
        publish_progress(valkey, event)


async def _broken(client: Client, platform: Platform) -> str:
    """A run whose task fails again and again: nobody can read this input."""
    prefix = platform.settings.task_queue_prefix
    handle = await client.start_workflow(
        "IngestMedia",
        "no order",
        id=f"{prefix}broken",
        task_queue=queue_name(Queue.WORKFLOWS, prefix=prefix),
    )
    return handle.id


async def _end(client: Client, run_id: str) -> None:
    await client.get_workflow_handle(run_id).terminate()


def _until_told(address: str, name: str) -> None:
    deadline = time.monotonic() + 60
    while name not in _fetched(f"http://{address}/metrics"):
        assert time.monotonic() < deadline, f"{name} is never told"
        time.sleep(0.2)


def _free_port() -> int:
    """The SDK does not tell which port it was given, so it is given one."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _plant(engine: Engine) -> None:
    """Rows that the monitor tells of, and that no upload makes."""
    now = datetime.now(UTC)
    with transaction(engine) as session:
        session.add(
            Reconciliation(
                id=new_id(),
                window_start=now - timedelta(days=1),
                window_end=now,
                started_at=now,
                ended_at=now,
                sources_checked=0,
                breaks_found=0,
            )
        )
        session.add(
            Backup(name="last night's", begun_at=now, ended_at=now, objects=0, object_bytes=0)
        )
        session.add(
            StripeEvent(
                id="evt_nobodys",
                type="charge.refunded",
                object_id="ch_nobodys",
                object_type="charge",
                created_at=now,
                received_at=now,
                state=EventState.PARKED,
                reason=ParkedBecause.NO_RUN,
                settled_at=now,
            )
        )
        session.add(
            LedgerAccount(
                id=new_id(),
                owner_type=OwnerType.PLATFORM,
                kind=AccountKind.ROUNDING,
                currency="eur",
                allow_negative=True,
                allow_positive=True,
            )
        )


async def _listed(client: Client, workflow_id: str) -> None:
    """Wait until Temporal lists the run among those that wait for an operator."""
    while not (
        await client.count_workflows(f"{asking.WAITS} AND WorkflowId = '{workflow_id}'")
    ).count:
        await asyncio.sleep(0.1)


@contextmanager
def _dated_clamd() -> Iterator[str]:
    """Says how old its signatures are. The stack's own has none of the dated kind."""

    class Version(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.request.recv(100)
            self.wfile.write(b"ClamAV 1.4.6/27500/Sun Nov 22 09:00:00 2026\n\0")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Version) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield "{}:{}".format(*server.server_address)
        server.shutdown()


def _monitored(platform: Platform, clamd_address: str) -> str:
    """What `python -m ops.monitor` serves after one round."""
    latest = Latest()
    registry = CollectorRegistry()
    registry.register(latest)

    async def round_() -> list[bool]:
        asked = asking.Platform(
            platform.engine,
            platform.temporal,
            Antivirus(platform.settings.model_copy(update={"clamd_address": clamd_address})),
            queue_prefix=platform.settings.task_queue_prefix,
        )
        parts = asked.parts().items()
        return await asyncio.gather(*(asking.ask(name, each, latest) for name, each in parts))

    assert all(platform.loop.run(round_())), generate_latest(registry).decode()
    return generate_latest(registry).decode()


def _fetched(url: str) -> str:
    with urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())


def _parsed(text: str) -> dict[str, set[str]]:
    """By hand: prometheus-client's parser gives counters another name than Prometheus does."""
    found: dict[str, set[str]] = {}
    for name, labels in re.findall(r"^(\w+)(?:\{(.*)\})? \S+$", text, re.MULTILINE):
        found.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
    return found
