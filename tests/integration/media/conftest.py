"""What activities work with, on this worker's share of the stack."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from activities.parts import WorkerParts, open_worker_parts
from infra.settings import Settings
from infra.storage import Storage
from infra.temporal import connect


@pytest.fixture(scope="module")
def media_parts(settings: Settings, storage: Storage) -> Iterator[WorkerParts]:
    del storage  # Asked for, because it makes the buckets.
    temporal = asyncio.run(connect(settings, lazy=True))
    with open_worker_parts(settings, temporal) as parts:
        yield parts
