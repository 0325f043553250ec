"""`python -m api`: serve on `API_HOST`:`API_PORT` until SIGTERM or SIGINT."""

from __future__ import annotations

import sys

import uvicorn

from api.app import create_app
from infra.settings import SettingsError, load_settings
from infra.telemetry import configure_logging

SHUTDOWN_SECONDS = 5
"""For requests in flight; event streams are cut, and their clients reconnect elsewhere."""


def main() -> int:
    try:
        settings = load_settings()
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    configure_logging(settings)
    uvicorn.run(
        create_app(settings),
        host=settings.api_host,
        port=settings.api_port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
