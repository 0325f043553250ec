"""What is seen of one picture's way: numbers of each process, and what dashboards ask of them.

One module, so that there is one such way.
"""

from __future__ import annotations

import json
import re

import pytest
import yaml

from infra.metrics.measures import MEASURES, Timing
from tests.e2e.observed.conftest import Observed
from tests.harness.pages import ROOT

pytestmark = pytest.mark.timeout(300)

PROMETHEUS_ADDS = {"job", "instance"}
_METRIC = re.compile(r"\b(?:fansworld|temporal|process)_\w+")
_SELECTOR = re.compile(r"\b((?:fansworld|temporal|process)_\w+)\{([^}]*)\}")
_GROUPED = re.compile(r"\bby \(([^)]*)\)")


def test_a_worker_serves_the_sdks_numbers_and_ours_on_one_port(observed: Observed) -> None:
    worker = observed.scraped.worker
    assert "temporal_activity_schedule_to_start_latency_bucket" in worker
    for each in MEASURES:
        name = f"{each.name}_bucket" if isinstance(each, Timing) else each.name
        assert set(each.labels) <= worker[name], each.name


def test_the_api_counts_requests_and_its_waits_for_the_database(observed: Observed) -> None:
    assert {"method", "route", "status"} <= observed.scraped.api["fansworld_http_requests_total"]
    assert "pool" in observed.scraped.api["fansworld_database_wait_seconds_bucket"]


def expressions() -> dict[str, list[str]]:
    """What is asked, and the labels that its legend or its words use, by who asks."""
    board = json.loads((ROOT / "deploy/grafana/dashboards/job-backbone.json").read_text())
    asked = {
        f"panel {panel['title']!r}, {target['refId']}": [target["expr"], target["legendFormat"]]
        for panel in board["panels"]
        for target in panel.get("targets", [])
    }
    groups = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"]
    for rule in (rule for group in groups for rule in group["rules"]):
        words = " ".join(rule["annotations"].values())
        asked[f"alert {rule['alert']}"] = [rule["expr"], words]
    return asked


def test_every_metric_and_label_that_is_asked_for_is_served(observed: Observed) -> None:
    served = observed.scraped.everything
    for where, (expression, words) in expressions().items():
        names = set(_METRIC.findall(expression))
        assert names or expression.startswith(("up", "absent(up")), where
        assert names <= served.keys(), f"{where}: {names - served.keys()} is not served"
        for name, matchers in _SELECTOR.findall(expression):
            used = set(re.findall(r"(\w+)[=!]", matchers))
            assert used <= served[name] | PROMETHEUS_ADDS, f"{where}: {name}"
        known = set().union(*(served[name] for name in names)) | PROMETHEUS_ADDS
        kept = {label.strip() for some in _GROUPED.findall(expression) for label in some.split(",")}
        assert kept <= known, where
        shown = set(re.findall(r"\{\{(?:\s*\$labels\.)?(\w+)\s*\}\}", words))
        assert shown <= (kept or known), f"{where} shows {shown - (kept or known)}"
