"""`python -m ops.monitor`: serve the platform's numbers on `METRICS_PORT` until SIGTERM."""

from __future__ import annotations

import asyncio
import signal
import sys

import structlog
from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server

from infra.antivirus import Antivirus
from infra.db import make_engine
from infra.settings import Settings, SettingsError, load_settings
from infra.telemetry import configure_logging
from infra.temporal import connect
from infra.watching import watching
from ops.monitor.asking import Platform, keep_asking
from ops.monitor.gauges import Latest

log = structlog.get_logger("monitor")

EVERY_SECONDS = 15.0


async def run(settings: Settings) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    engine = make_engine(settings, name="fansworld-monitor")
    latest = Latest()
    registry = CollectorRegistry()
    registry.register(latest)
    ProcessCollector(registry=registry)
    server, thread = start_http_server(settings.metrics_port, registry=registry)
    try:
        # Lazy: Temporal may be away when the monitor starts, which is for the monitor to tell.
        temporal = await connect(settings, lazy=True)
        prefix = settings.task_queue_prefix
        platform = Platform(engine, temporal, Antivirus(settings), queue_prefix=prefix)
        log.info("monitor ready", port=settings.metrics_port)
        await keep_asking(platform.parts(), latest, every_seconds=EVERY_SECONDS, stopping=stopping)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        engine.dispose()


def main() -> int:
    try:
        settings = load_settings()
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if settings.metrics_port == 0:
        sys.stderr.write("METRICS_PORT: must be set, the monitor serves nothing else\n")
        return 2
    configure_logging(settings)
    with watching(settings, service="fansworld-monitor"):
        asyncio.run(run(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
