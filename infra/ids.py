"""New row ids: version 7 UUIDs, so that rows made together lie together in an index."""

from __future__ import annotations

import os
import time

from domain.ids import uuid7_from


def new_id() -> str:
    return uuid7_from(unix_ms=time.time_ns() // 1_000_000, entropy=os.urandom(10))
