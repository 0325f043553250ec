"""A server that skips time, one for each test: its clock only goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.workflows.charges.runs import PaymentRun, payment_run, skipping_time


@pytest.fixture
async def run() -> AsyncIterator[PaymentRun]:
    async with skipping_time() as environment, payment_run(environment) as run:
        yield run
