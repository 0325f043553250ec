"""Runs know the request that they were started for, and so do their activities."""

from __future__ import annotations

import structlog
from temporalio import activity
from temporalio.client import Client, WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Worker

from activities.journal import Journal
from infra.spans import start_tracing
from infra.tracing import CarryTrace, begin_trace, trace_from, traced
from tests.harness.collector import collecting
from tests.workflows.carriers import Asked, Child, Parent
from tests.workflows.configured import settings_of
from workflows.runner import workflow_runner

QUEUE = "tracing"
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"


@activity.defn
async def what_is_bound() -> dict[str, str]:
    bound = structlog.contextvars.get_contextvars()
    return {name: bound[name] for name in ("request_id", "trace_id") if name in bound}


async def started(address: str, run_id: str) -> list[dict[str, str]]:
    client = await Client.connect(
        address, data_converter=pydantic_data_converter, interceptors=[CarryTrace()]
    )
    async with Worker(
        client,
        task_queue=QUEUE,
        workflows=[Parent, Child],
        activities=[what_is_bound],
        workflow_runner=workflow_runner(),
        interceptors=[Journal()],
    ):
        handle = await client.start_workflow(Parent.run, False, id=run_id, task_queue=QUEUE)
        result = await handle.result()
        history = await client.get_workflow_handle(run_id).fetch_history()
    begun = history.events[0].workflow_execution_started_event_attributes
    trace = trace_from(begun.header.fields)
    assert (trace is None) is (result == [{}, {}])
    return result


async def test_request_and_trace_reach_activities_children_and_the_next_run(
    dev_server_address: str,
) -> None:
    with traced(None):
        begin_trace("request-0001", f"00-{TRACE_ID}-00f067aa0ba902b7-01")
        found = await started(dev_server_address, "traced")
    assert found == [{"request_id": "request-0001", "trace_id": TRACE_ID}] * 2


async def test_a_run_that_no_request_started_names_none(dev_server_address: str) -> None:
    structlog.contextvars.clear_contextvars()
    with traced(None):
        assert await started(dev_server_address, "untraced") == [{}, {}]


async def test_a_run_that_is_begun_by_an_update_knows_the_request_too(
    dev_server_address: str,
) -> None:
    client = await Client.connect(
        dev_server_address, data_converter=pydantic_data_converter, interceptors=[CarryTrace()]
    )
    async with Worker(
        client,
        task_queue=QUEUE,
        workflows=[Asked],
        activities=[what_is_bound],
        workflow_runner=workflow_runner(),
        interceptors=[Journal()],
    ):
        with traced(None):
            begin_trace("request-0003", f"00-{TRACE_ID}-00f067aa0ba902b7-01")
            found = await client.execute_update_with_start_workflow(
                Asked.answer,
                start_workflow_operation=WithStartWorkflowOperation(
                    Asked.run,
                    id="asked",
                    task_queue=QUEUE,
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                ),
            )
    assert found == {"request_id": "request-0003", "trace_id": TRACE_ID}


async def test_spans_of_runs_hang_together_by_their_ids_alone(dev_server_address: str) -> None:
    with collecting() as collector, traced(None):
        begin_trace("request-0002", f"00-{TRACE_ID}-00f067aa0ba902b7-01")
        settings = settings_of(otel_exporter_otlp_endpoint=collector.url, trace_sample_ratio=1.0)
        stop_tracing = start_tracing(settings, service="test")
        try:
            await started(dev_server_address, "spanned")
        finally:
            stop_tracing()
    assert {span.trace_id for span in collector.spans} == {TRACE_ID}
    by_id = {span.span_id: span for span in collector.spans}
    assert len(by_id) == len(collector.spans)
    above = {
        (span.name, by_id[span.parent_id].name if span.parent_id in by_id else "request")
        for span in collector.spans
    }
    assert above == {
        ("Parent", "request"),
        ("Child", "Parent"),
        ("what_is_bound", "Parent"),
        ("what_is_bound", "Child"),
    }
    outcomes = {span.facts["fansworld.outcome"] for span in by_id.values() if span.name == "Parent"}
    assert outcomes == {"continued", "done"}


async def test_a_run_that_nobody_asked_for_is_a_trace_of_its_own_if_it_is_sampled(
    dev_server_address: str,
) -> None:
    for ratio, names in ((0.0, []), (1.0, ["Child", "Parent", "Parent"])):
        structlog.contextvars.clear_contextvars()
        with collecting() as collector, traced(None):
            settings = settings_of(
                otel_exporter_otlp_endpoint=collector.url, trace_sample_ratio=ratio
            )
            stop_tracing = start_tracing(settings, service="test")
            try:
                await started(dev_server_address, f"nobodys-{ratio:g}")
            finally:
                stop_tracing()
        runs = [span for span in collector.spans if span.name != "what_is_bound"]
        assert sorted(span.name for span in runs) == names
        steps = [span for span in collector.spans if span.name == "what_is_bound"]
        by_id = {run.span_id: run for run in runs}
        assert len(steps) == (2 if names else 0)
        assert all(by_id[step.parent_id].trace_id == step.trace_id for step in steps)
        assert all(run.parent_id == "" for run in runs)
