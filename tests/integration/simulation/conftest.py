from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from simulation.database import own_postgres
from tests.harness.stack import RUNS


@pytest.fixture(scope="session")
def simulation_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """Of a Postgres for worlds only."""
    name = f"simulation-{tmp_path_factory.getbasetemp().name}"
    with own_postgres(RUNS.parent / "simulations" / name) as environment:
        yield environment
