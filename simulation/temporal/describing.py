"""How a run stands and how it ended, in the form of the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from temporalio.api.enums.v1 import (
    EventType,
    HistoryEventFilterType,
    PendingActivityState,
)
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice import v1
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCStatusCode

from simulation.temporal.activities import Stage
from simulation.temporal.refusals import error, found
from simulation.temporal.runs import Run

if TYPE_CHECKING:
    from simulation.temporal.server import SimulatedTemporal


async def describe(
    server: SimulatedTemporal, req: v1.DescribeWorkflowExecutionRequest
) -> v1.DescribeWorkflowExecutionResponse:
    run = found(server, req.execution)
    response = v1.DescribeWorkflowExecutionResponse()
    info = response.workflow_execution_info
    info.execution.workflow_id, info.execution.run_id = run.workflow_id, run.run_id
    info.type.name = run.workflow_type
    info.task_queue = run.task_queue
    info.status = cast(Any, run.status.value)
    info.start_time.FromDatetime(run.started_at)
    info.execution_time.FromDatetime(run.started_at)
    info.history_length = run.history_length
    if run.closed_at is not None:
        info.close_time.FromDatetime(run.closed_at)
    for name, payload in run.search_attributes.items():
        info.search_attributes.indexed_fields[name].CopyFrom(payload)
    for name, payload in run.memo.items():
        info.memo.fields[name].CopyFrom(payload)
    for task in run.activities.values():
        pending = response.pending_activities.add()
        pending.activity_id = task.order.activity_id
        pending.activity_type.name = task.order.activity_type
        pending.attempt = task.attempt
        pending.state = (
            PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
            if task.stage is Stage.STARTED
            else PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED
        )
        if task.last_failure is not None:
            pending.last_failure.CopyFrom(task.last_failure)
    return response


async def ending(
    server: SimulatedTemporal, req: v1.GetWorkflowExecutionHistoryRequest
) -> v1.GetWorkflowExecutionHistoryResponse:
    """How a run ended; whole histories are not kept in the form of the wire."""
    run = found(server, req.execution)
    closing = HistoryEventFilterType.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT
    if req.history_event_filter_type != closing or not req.wait_new_event:
        raise error(RPCStatusCode.UNIMPLEMENTED, "the simulated server keeps no whole histories")
    await server.waiting.until(lambda: not run.is_open)
    response = v1.GetWorkflowExecutionHistoryResponse()
    response.history.events.append(_closing_event(run))
    return response


def _closing_event(run: Run) -> HistoryEvent:
    event = HistoryEvent(event_id=run.history_length)
    match run.status:
        case WorkflowExecutionStatus.COMPLETED:
            event.event_type = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED
            completed = event.workflow_execution_completed_event_attributes
            completed.SetInParent()
            if run.result is not None:
                completed.result.payloads.append(run.result)
        case WorkflowExecutionStatus.FAILED:
            event.event_type = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED
            failed = event.workflow_execution_failed_event_attributes
            failed.SetInParent()
            if run.failure is not None:
                failed.failure.CopyFrom(run.failure)
        case WorkflowExecutionStatus.CANCELED:
            event.event_type = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED
            event.workflow_execution_canceled_event_attributes.SetInParent()
        case WorkflowExecutionStatus.TERMINATED:
            event.event_type = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED
            event.workflow_execution_terminated_event_attributes.SetInParent()
        case WorkflowExecutionStatus.TIMED_OUT:
            event.event_type = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT
            event.workflow_execution_timed_out_event_attributes.SetInParent()
        case _:
            event.event_type = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW
            continued = event.workflow_execution_continued_as_new_event_attributes
            continued.new_execution_run_id = run.next_run_id
    return event
