"""A server that skips time, one for each test: its clock only goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.workflows.payouts.runs import PayoutRun, payout_run, skipping_time


@pytest.fixture
async def run() -> AsyncIterator[PayoutRun]:
    async with skipping_time() as environment, payout_run(environment) as run:
        yield run
