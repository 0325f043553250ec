"""`python -m api`: serve on `API_HOST`:`API_PORT` until SIGTERM or SIGINT."""

from __future__ import annotations

import sys
from contextlib import suppress

from api.app import create_app
from api.serving import DrainingServer, server_config
from infra.settings import SettingsError, load_settings
from infra.telemetry import configure_logging
from infra.watching import watching

SHUTDOWN_SECONDS = 5
"""For requests in flight; event streams are cut, and their clients reconnect elsewhere."""

STARTUP_FAILED = 3
"""As uvicorn's own command exits."""


def main() -> int:
    try:
        settings = load_settings()
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    configure_logging(settings)
    app = create_app(settings)
    config = server_config(
        app,
        host=settings.api_host,
        port=settings.api_port,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    server = DrainingServer(config, app, drain_seconds=settings.api_drain_seconds)
    with (
        watching(settings, service="fansworld-api"),
        suppress(KeyboardInterrupt),  # uvicorn has shut down, and raises the signal again.
    ):
        server.run()
    return 0 if server.started else STARTUP_FAILED


if __name__ == "__main__":
    sys.exit(main())
