"""A server that skips time, one for each test: its clock only goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.workflows.disputes.runs import DisputeRun, dispute_run, skipping_time


@pytest.fixture
async def run() -> AsyncIterator[DisputeRun]:
    async with skipping_time() as environment, dispute_run(environment) as run:
        yield run
