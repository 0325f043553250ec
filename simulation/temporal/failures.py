"""Failures as the server and the core of the SDK write them for workflows to read."""

from __future__ import annotations

from collections.abc import Iterable

from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import RetryState, TimeoutType
from temporalio.api.failure.v1 import Failure
from temporalio.bridge.proto.workflow_commands import ScheduleActivity


def cancelled(message: str) -> Failure:
    failure = Failure(message=message)
    failure.canceled_failure_info.SetInParent()
    return failure


def timed_out(kind: TimeoutType.ValueType, heartbeat: Iterable[Payload]) -> Failure:
    failure = Failure(message=f"activity {_TIMEOUTS[kind]} timeout")
    failure.timeout_failure_info.timeout_type = kind
    failure.timeout_failure_info.last_heartbeat_details.payloads.extend(heartbeat)
    return failure


_TIMEOUTS = {
    TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE: "StartToClose",
    TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE: "ScheduleToClose",
    TimeoutType.TIMEOUT_TYPE_HEARTBEAT: "Heartbeat",
}


def of_activity(order: ScheduleActivity, cause: Failure, state: RetryState.ValueType) -> Failure:
    """What a workflow catches as `ActivityError`."""
    failure = Failure(message="Activity task failed", cause=cause)
    info = failure.activity_failure_info
    info.activity_type.name = order.activity_type
    info.activity_id = order.activity_id
    info.retry_state = state
    return failure


def of_child(workflow_type: str, workflow_id: str, run_id: str, cause: Failure) -> Failure:
    """What a parent catches as `ChildWorkflowError`."""
    failure = Failure(message="Child Workflow execution failed", cause=cause)
    info = failure.child_workflow_execution_failure_info
    info.workflow_type.name = workflow_type
    info.workflow_execution.workflow_id = workflow_id
    info.workflow_execution.run_id = run_id
    info.retry_state = RetryState.RETRY_STATE_NON_RETRYABLE_FAILURE
    return failure


def not_found(workflow_id: str) -> Failure:
    """Of a signal or a cancellation for a run that is not there, or not any more."""
    failure = Failure(message=f"unable to find workflow {workflow_id}")
    failure.application_failure_info.type = "ExternalWorkflowExecutionNotFound"
    return failure


def update_outlived() -> Failure:
    """Of an accepted update whose run was over before its handler."""
    failure = Failure(
        message="Workflow Update failed because the Workflow completed before the Update completed."
    )
    failure.application_failure_info.type = "AcceptedUpdateCompletedWorkflow"
    failure.application_failure_info.non_retryable = True
    return failure
