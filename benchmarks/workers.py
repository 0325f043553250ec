"""Slots, pollers, cache and memory of workers: `python -m benchmarks.workers`.

Each setting is measured right after the default, several times; what is told is the median of the
ratios, and the least and the most. Processor time is that of the worker and of the server, and
says little less where other work goes on beside; the rate does. Ingests of pictures run for it
whose steps do nothing, so that workers and server alone are on trial; for slots of the queue
`media`, encodes that do. Not part of `make bench`, whose figures have peers: it is for choosing
settings, on the machine at hand.
"""

from __future__ import annotations

import asyncio
import base64
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

from pydantic import SecretStr
from rich.console import Console
from rich.table import Table
from temporalio import activity
from temporalio.client import Client
from temporalio.common import RawValue
from temporalio.testing import WorkflowEnvironment

from devstack.temporal import DYNAMIC
from domain.media.states import MediaKind, MediaState
from infra.settings import Settings
from infra.telemetry import configure_logging
from infra.temporal import connect
from worker import activity_worker, build_workers
from workflows.attributes import ALL
from workflows.media.ingest import IngestMedia
from workflows.media.messages import IngestInput, Inspection, Published, RenderedImage
from workflows.media.start import start_ingest
from workflows.queues import Queue

ROUNDS = 5
RUNS = 60
CACHED = 300
ENCODES = 8
_ENCODE = "-f lavfi -i testsrc2=size=640x360:rate=25:duration=6 -c:v libx264 -preset veryfast"


@dataclass(frozen=True, slots=True)
class Setting:
    name: str
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds on the wall, and of processors by this process and its children."""

    wall: float
    processor: float

    @classmethod
    def now(cls) -> Taken:
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        processor = time.process_time() + ended.ru_utime + ended.ru_stime
        for task in Path("/proc/self/task").iterdir():
            with suppress(FileNotFoundError):  # A thread, or a child, that ended meanwhile.
                for pid in (task / "children").read_text().split():
                    processor += _processor_seconds(pid)
        return cls(time.perf_counter(), processor)

    def __sub__(self, earlier: Taken) -> Taken:
        return Taken(self.wall - earlier.wall, self.processor - earlier.processor)


def _processor_seconds(pid: str) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


DEFAULT = Setting("default", {})
SETTINGS = (
    Setting("2 workflow slots, 2 pollers", {"workflow_slots": 2, "workflow_pollers": 2}),
    Setting("10 workflow slots, 4 pollers", {"workflow_slots": 10, "workflow_pollers": 4}),
    Setting("200 workflow slots, 32 pollers", {"workflow_slots": 200, "workflow_pollers": 32}),
    Setting("1 activity poller", {"activity_pollers": 1}),
    Setting("16 activity pollers", {"activity_pollers": 16}),
    Setting("32 io slots", {"io_slots": 32}),
    Setting("no cached workflows", {"cached_workflows": 0}),
)


def settings_of(address: str, values: dict[str, Any]) -> Settings:
    key = SecretStr(base64.b64encode(bytes(32)).decode())
    given: dict[str, Any] = {
        "temporal_address": address,
        "log_level": "WARNING",
        "task_queue_prefix": f"b{uuid4().hex[:8]}-",
        "payload_keys": {"a": key},
        "media_master_keys": {"a": key},
        "account_master_keys": {"a": key},
        "token_private_keys": {"a": key},
        "url_signing_key": key,
    }
    return Settings(**given, **{f"worker_{name}": value for name, value in values.items()})


_ANSWERS: dict[str, Any] = {
    "inspect_original": Inspection(MediaKind.IMAGE, "image/jpeg", 10, "0" * 64, "clean"),
    "render_image": RenderedImage(12, 1000, "pass"),
    "publish_media": Published(MediaState.READY.value, 12),
}


@activity.defn(dynamic=True)
async def _does_nothing(_: Sequence[RawValue]) -> Any:
    return _ANSWERS[activity.info().activity_type]


async def _begin(client: Client, settings: Settings) -> str:
    job = IngestInput(media_id=str(uuid4()), creator_id=str(uuid4()))
    prefix = settings.task_queue_prefix
    return await start_ingest(client, job, queue_prefix=prefix, kind="image")


async def ingest_seconds(address: str, setting: Setting) -> Taken:
    """For `RUNS` ingests that were waiting."""
    settings = settings_of(address, setting.values)
    client = await connect(settings)
    ids = await asyncio.gather(*(_begin(client, settings) for _ in range(RUNS)))
    (deciding,) = build_workers(client, settings, [Queue.WORKFLOWS], None)
    io, media = (
        activity_worker(client, settings, queue, settings.worker_io_slots, [_does_nothing])
        for queue in (Queue.IO, Queue.MEDIA)
    )
    began = Taken.now()
    async with deciding, io, media:
        for workflow_id in ids:
            await client.get_workflow_handle(workflow_id).result()
        return Taken.now() - began


def encode_seconds(ffmpeg: str, slots: int) -> Taken:
    """For `ENCODES` short encodes, so many at a time."""
    command = [ffmpeg, "-v", "error", *_ENCODE.split(), "-f", "null", "-"]
    began = Taken.now()
    with ThreadPoolExecutor(slots) as pool:
        list(pool.map(lambda _: subprocess.run(command, check=True), range(ENCODES)))
    return Taken.now() - began


def _compared(pairs: Sequence[tuple[Taken, Taken]]) -> tuple[str, str]:
    """Of a setting to the default measured beside it: processor time, and rate."""
    work = [one.processor / default.processor for default, one in pairs]
    rates = [default.wall / one.wall for default, one in pairs]
    return _spread(work), _spread(rates)


def _spread(ratios: Sequence[float]) -> str:
    return f"{median(ratios):.2f}× ({min(ratios):.2f}–{max(ratios):.2f})"


async def throughputs(address: str) -> Table:
    table = Table("setting", "processor time", "ingests a second", title="To the default's")
    await ingest_seconds(address, DEFAULT)  # Imports, connections, the server's own caches.
    pairs: dict[str, list[tuple[Taken, Taken]]] = {each.name: [] for each in SETTINGS}
    for _ in range(ROUNDS):
        for setting in SETTINGS:
            default = await ingest_seconds(address, DEFAULT)
            pairs[setting.name].append((default, await ingest_seconds(address, setting)))
    for setting in SETTINGS:
        table.add_row(setting.name, *_compared(pairs[setting.name]))
    return table


def encodes(ffmpeg: str) -> Table:
    cores = os.cpu_count() or 1
    table = Table("slots", "processor time", "encodes a second", title="To a slot for each core's")
    for count in (1, cores * 2, cores * 4):
        pairs = [
            (encode_seconds(ffmpeg, cores), encode_seconds(ffmpeg, count)) for _ in range(ROUNDS)
        ]
        table.add_row(str(count), *_compared(pairs))
    return table


async def cached_kib(address: str) -> float:
    """Memory that one more open run takes in a worker that keeps it."""
    settings = settings_of(address, {})
    client = await connect(settings)
    (deciding,) = build_workers(client, settings, [Queue.WORKFLOWS], None)
    async with deciding:
        await _opened(client, settings, 50)
        before = _resident_kib()
        await _opened(client, settings, CACHED)
        return (_resident_kib() - before) / CACHED


async def _opened(client: Client, settings: Settings, runs: int) -> None:
    """So many runs wait for their first step, which nobody does."""
    for workflow_id in [await _begin(client, settings) for _ in range(runs)]:
        # A query is answered after the first workflow task.
        await client.get_workflow_handle(workflow_id).query(IngestMedia.waiting_steps)


def _resident_kib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1024


async def main() -> None:
    console = Console(width=100)
    configure_logging(settings_of("", {}))
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(Path(sys.executable).with_name("temporal")),
        dev_server_log_level="error",
        search_attributes=list(ALL),
        dev_server_extra_args=[f"--dynamic-config-value={k}={v}" for k, v in DYNAMIC.items()],
    ) as environment:
        address = environment.client.service_client.config.target_host
        console.print(f"{await cached_kib(address):.0f} KiB for each open run that is kept")
        console.print(await throughputs(address))
    console.print(encodes(settings_of("", {}).ffmpeg_path))


if __name__ == "__main__":
    asyncio.run(main())
