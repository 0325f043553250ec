"""What is seen of one picture's way: numbers of each process, and what dashboards ask of them.

One module, so that there is one such way.
"""

from __future__ import annotations

import json
import re

import pytest
import yaml

from domain.ids import ingest_workflow_id
from infra.metrics.measures import MEASURES, Timing
from tests.e2e.observed.conftest import FILE_NAME, HANDLE, Observed
from tests.harness.collector import SeenSpan
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


# --- traces ----------------------------------------------------------------------------------


def _the_way_of_the_picture(observed: Observed) -> list[SeenSpan]:
    """Every span of the trace in which its run is."""
    workflow_id = ingest_workflow_id(observed.media_id)
    (run,) = (
        span
        for span in observed.collector.spans
        if span.name == "IngestMedia" and span.facts["temporal.workflow_id"] == workflow_id
    )
    return [span for span in observed.collector.spans if span.trace_id == run.trace_id]


def test_one_trace_leads_from_the_request_through_run_and_step_into_the_child(
    observed: Observed,
) -> None:
    by_id = {span.span_id: span for span in _the_way_of_the_picture(observed)}
    (decoder,) = (span for span in by_id.values() if span.name == "infra.images.child:render")
    way = [decoder]
    while way[-1].parent_id:
        way.append(by_id[way[-1].parent_id])
    assert [span.name for span in reversed(way)] == [
        "POST /api/v1/uploads/{upload_id}/complete",
        "IngestMedia",
        "render_image",
        "infra.images.child:render",
    ]
    child, step, run, request = way
    assert float(child.facts["process.cpu.seconds"]) > 0
    assert step.facts["temporal.attempt"] == "1"
    assert run.facts["fansworld.outcome"] == "done"
    assert request.facts["http.response.status_code"] == "202"
    assert not any(span.is_error for span in way)
    assert 0 < child.seconds <= step.seconds <= run.seconds


def test_each_step_of_a_run_is_below_it_and_no_span_is_written_twice(observed: Observed) -> None:
    spans = _the_way_of_the_picture(observed)
    (run,) = (span for span in spans if span.name == "IngestMedia")
    steps = {span.name for span in spans if span.parent_id == run.span_id}
    assert {"inspect_original", "render_image", "publish_media"} <= steps
    ids = [span.span_id for span in observed.collector.spans]
    assert len(ids) == len(set(ids))


def test_a_step_that_is_blocked_is_an_error_by_its_name_alone(observed: Observed) -> None:
    failed = [span for span in observed.collector.spans if span.is_error]
    assert {span.name for span in failed} == {"inspect_original"}


def test_no_name_of_a_person_or_a_file_is_in_any_span(observed: Observed) -> None:
    sent = b"".join(observed.collector.raw)
    assert observed.media_id.encode() in sent
    for personal in (HANDLE, FILE_NAME, "127.0.0.1:"):
        assert personal.encode() not in sent, personal


def test_a_history_carries_two_ids_and_nothing_of_spans(observed: Observed) -> None:
    workflow_id = ingest_workflow_id(observed.media_id)
    history = observed.platform.ask(
        lambda client: client.get_workflow_handle(workflow_id).fetch_history()
    )
    begun = history.events[0].workflow_execution_started_event_attributes
    assert set(begun.header.fields) == {"request-id", "traceparent"}
    text = history.to_json()
    assert HANDLE not in text
    assert FILE_NAME not in text
