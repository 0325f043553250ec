"""A server that skips time, one for each test: its clock only goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.workflows.posts.runs import PostRun, post_run, skipping_time


@pytest.fixture
async def run() -> AsyncIterator[PostRun]:
    async with skipping_time() as environment, post_run(environment) as run:
        yield run
