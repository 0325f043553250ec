"""A server that skips time, one for each test: its clock only goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.workflows.subscriptions.runs import SubscriptionRun, skipping_time, subscription_run


@pytest.fixture
async def run() -> AsyncIterator[SubscriptionRun]:
    async with skipping_time() as environment, subscription_run(environment) as run:
        yield run
