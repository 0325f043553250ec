"""A platform with workers for a whole run, and sources that every module may use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from devstack.databases import empty_tables
from infra.storage import Storage
from tests.e2e.media.platform import Platform, deployed


@pytest.fixture(scope="session")
def platform(
    stack_environment: dict[str, str], storage: Storage, worker_engine: Engine
) -> Iterator[Platform]:
    """API and workers with small limits, shared by the modules of this folder."""
    with (
        deployed(stack_environment, name="ingest", storage=storage, engine=worker_engine) as it,
        it.working(),
    ):
        yield it


@pytest.fixture(scope="module", autouse=True)
def _emptied(worker_engine: Engine) -> Iterator[None]:
    """Media are shared by the tests of a module and gone after it."""
    yield
    empty_tables(worker_engine)
