"""What Prometheus gets of each process, after real work."""

from __future__ import annotations

import pytest

from infra.metrics.measures import MEASURES, Timing
from tests.e2e.observed.conftest import Observed

pytestmark = pytest.mark.timeout(300)


def test_a_worker_serves_the_sdks_numbers_and_ours_on_one_port(observed: Observed) -> None:
    worker = observed.scraped.worker
    assert "temporal_activity_schedule_to_start_latency_bucket" in worker
    for each in MEASURES:
        if each.name == "fansworld_step_failures_total":  # Nothing has failed.
            continue
        name = f"{each.name}_bucket" if isinstance(each, Timing) else each.name
        assert set(each.labels) <= worker[name], each.name


def test_the_api_counts_requests_and_its_waits_for_the_database(observed: Observed) -> None:
    assert {"method", "route", "status"} <= observed.scraped.api["fansworld_http_requests_total"]
    assert "pool" in observed.scraped.api["fansworld_database_wait_seconds_bucket"]
