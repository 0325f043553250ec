"""`python -m ops.codec`: let operators read payloads in Temporal's UI, until SIGTERM.

Listens on `CODEC_HOST`:`CODEC_PORT`. Pages of `TEMPORAL_UI_URL` alone may ask, for people whom
`CODEC_OPERATORS` names: with their secret as bearer token, or after signing in at `/`.
"""

from __future__ import annotations

import sys

import uvicorn

from infra.settings import Settings, SettingsError, load_settings
from infra.telemetry import configure_logging
from infra.watching import watching
from ops.codec.app import create_app

SECRET_LENGTH_MIN = 24


def faults_of(settings: Settings) -> list[str]:
    """Why it must not start on these settings."""
    faults = []
    if settings.temporal_ui_url is None:
        faults.append("TEMPORAL_UI_URL: missing; it says whose pages may ask")
    is_open = not settings.codec_operators
    if is_open and (settings.environment == "production" or settings.codec_host != "127.0.0.1"):
        faults.append("CODEC_OPERATORS: missing; without it anybody could read every payload")
    faults += [
        f"CODEC_OPERATORS: the secret of {name} has less than {SECRET_LENGTH_MIN} characters"
        for name, secret in settings.codec_operators.items()
        if len(secret.get_secret_value()) < SECRET_LENGTH_MIN
    ]
    return faults


def main() -> int:
    try:
        settings = load_settings()
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if faults := faults_of(settings):
        sys.stderr.write("\n".join(faults) + "\n")
        return 2
    configure_logging(settings)
    with watching(settings, service="fansworld-codec"):
        uvicorn.run(
            create_app(settings),
            host=settings.codec_host,
            port=settings.codec_port,
            access_log=False,
            log_config=None,
            server_header=False,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
