"""One picture goes through API and workers, with everything on that watches them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.request import urlopen

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine

from devstack.databases import empty_tables
from infra.antivirus import Antivirus
from infra.metrics.serving import runtime_with_metrics
from infra.storage import Storage
from infra.temporal import connect
from ops.monitor import asking
from ops.monitor.gauges import Latest
from tests.e2e.media import pictures
from tests.e2e.media.platform import Platform, deployed


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


@pytest.fixture(scope="session")
def observed(
    stack_environment: dict[str, str], storage: Storage, worker_engine: Engine
) -> Iterator[Observed]:
    address = f"127.0.0.1:{_free_port()}"
    with deployed(
        stack_environment, name="observed", storage=storage, engine=worker_engine
    ) as platform:
        runtime = runtime_with_metrics(address)
        platform.temporal = platform.loop.run(connect(platform.settings, runtime=runtime))
        with platform.working():
            creator = platform.creator("ida.is-watched")
            media_id = creator.upload(pictures.flat(120))
            creator.ready(media_id)
            platform.until_run_over(media_id)
            scraped = Scraped(
                api=_parsed(_fetched(f"{platform.api.url}/metrics")),
                worker=_parsed(_fetched(f"http://{address}/metrics")),
                monitor=_parsed(_monitored(platform)),
            )
            yield Observed(platform, media_id, scraped)
    empty_tables(worker_engine)


def _free_port() -> int:
    """The SDK does not tell which port it was given, so it is given one."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _monitored(platform: Platform) -> str:
    """What `python -m ops.monitor` serves after one round."""
    latest = Latest()
    registry = CollectorRegistry()
    registry.register(latest)

    async def round_() -> list[bool]:
        asked = asking.Platform(
            platform.engine,
            platform.temporal,
            Antivirus(platform.settings),
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
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found
