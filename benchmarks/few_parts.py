"""Settings for a stack of which only some parts are started."""

from __future__ import annotations

import os

NOBODY = "http://127.0.0.1:9"
"""Where nothing answers, for a part that is not asked."""


def environ_of_few() -> dict[str, str]:
    return {
        **os.environ,
        "S3_ENDPOINT": NOBODY,
        "S3_ACCESS_KEY_ID": "bench",
        "S3_SECRET_ACCESS_KEY": "bench",
        "LOG_LEVEL": "WARNING",
    }
