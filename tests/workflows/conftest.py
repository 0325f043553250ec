"""Servers of this layer's own: it needs Temporal and nothing else, so it starts no stack."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from devstack.temporal import DYNAMIC
from workflows.attributes import ALL

DRAINS_AT_ONCE = {
    "matching.wv.VersionDrainageStatusVisibilityGracePeriod": '"1s"',
    "matching.wv.VersionDrainageStatusRefreshInterval": '"1s"',
}
"""The server looks every few minutes whether a version of workers is still needed."""


@pytest.fixture(scope="session")
def dev_server_address() -> Iterator[str]:
    """A full server in memory, with our search attributes."""
    loop = asyncio.new_event_loop()
    environment = loop.run_until_complete(
        WorkflowEnvironment.start_local(
            dev_server_existing_path=str(Path(sys.executable).with_name("temporal")),
            search_attributes=list(ALL),
            dev_server_log_level="error",
            dev_server_extra_args=[
                f"--dynamic-config-value={key}={value}"
                for key, value in (DYNAMIC | DRAINS_AT_ONCE).items()
            ],
        )
    )
    yield environment.client.service_client.config.target_host
    loop.run_until_complete(environment.shutdown())
    loop.close()


@pytest.fixture
async def workflow_client(dev_server_address: str) -> Client:
    return await Client.connect(dev_server_address, data_converter=pydantic_data_converter)
