"""Answers to what the SDK's client asks; a call that is not here is not implemented."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from google.protobuf.message import Message
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import (
    UpdateWorkflowExecutionLifecycleStage,
    WorkflowIdConflictPolicy,
)
from temporalio.api.errordetails.v1 import (
    MultiOperationExecutionFailure,
    WorkflowExecutionAlreadyStartedFailure,
)
from temporalio.api.failure.v1 import MultiOperationExecutionAborted
from temporalio.api.update.v1 import Outcome
from temporalio.api.workflowservice import v1
from temporalio.bridge.proto.workflow_activation import DoUpdate, QueryWorkflow, SignalWorkflow
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from simulation.temporal.describing import describe, ending
from simulation.temporal.refusals import error, found
from simulation.temporal.runs import Run, Update
from simulation.temporal.starting import AlreadyThere, Start

if TYPE_CHECKING:
    from simulation.temporal.server import SimulatedTemporal


_STAGES = UpdateWorkflowExecutionLifecycleStage
_ACCEPTED = _STAGES.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED
_COMPLETED = _STAGES.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED


def _already(there: AlreadyThere) -> RPCError:
    run = there.run
    return error(
        RPCStatusCode.ALREADY_EXISTS,
        "Workflow execution is already running. " + str(there),
        WorkflowExecutionAlreadyStartedFailure(
            run_id=run.run_id, first_execution_run_id=run.first_run_id
        ),
    )


def _open(server: SimulatedTemporal, execution: WorkflowExecution) -> Run:
    run = found(server, execution)
    if not run.is_open:
        raise error(RPCStatusCode.NOT_FOUND, "workflow execution already completed")
    return run


StartRequest = v1.StartWorkflowExecutionRequest | v1.SignalWithStartWorkflowExecutionRequest


def _start_of(req: StartRequest) -> Start:
    for name in ("retry_policy", "workflow_start_delay"):
        if req.HasField(name):
            raise error(RPCStatusCode.UNIMPLEMENTED, f"the simulated server knows no {name}")
    if req.cron_schedule:
        raise error(RPCStatusCode.UNIMPLEMENTED, "the simulated server knows no cron")
    return Start(
        workflow_id=req.workflow_id,
        workflow_type=req.workflow_type.name,
        task_queue=req.task_queue.name,
        arguments=req.input.payloads,
        headers=req.header.fields,
        memo=req.memo,
        search_attributes=req.search_attributes,
        run_timeout=req.workflow_run_timeout.ToTimedelta(),
        execution_timeout=req.workflow_execution_timeout.ToTimedelta(),
        reuse=req.workflow_id_reuse_policy,
        conflict=req.workflow_id_conflict_policy,
    )


def _started(
    server: SimulatedTemporal, req: StartRequest, conflict: int = 0
) -> v1.StartWorkflowExecutionResponse:
    start = _start_of(req)
    if conflict and not start.conflict:
        start = replace(start, conflict=conflict)
    there = server.find(start.workflow_id)
    run = server.start(start)
    return v1.StartWorkflowExecutionResponse(
        run_id=run.run_id,
        first_execution_run_id=run.first_run_id,
        started=run is not there,
        status=cast(Any, run.status.value),
    )


async def _start(
    server: SimulatedTemporal, req: v1.StartWorkflowExecutionRequest
) -> v1.StartWorkflowExecutionResponse:
    try:
        return _started(server, req)
    except AlreadyThere as there:
        raise _already(there) from there


async def _signal_with_start(
    server: SimulatedTemporal, req: v1.SignalWithStartWorkflowExecutionRequest
) -> v1.SignalWithStartWorkflowExecutionResponse:
    existing = WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING
    try:
        started = _started(server, req, existing)
    except AlreadyThere as there:
        raise _already(there) from there
    run = _open(server, WorkflowExecution(workflow_id=req.workflow_id))
    server.signal(
        run,
        SignalWorkflow(
            signal_name=req.signal_name,
            input=req.signal_input.payloads,
            headers=req.header.fields,
        ),
    )
    return v1.SignalWithStartWorkflowExecutionResponse(
        run_id=started.run_id, started=started.started
    )


async def _signal(
    server: SimulatedTemporal, req: v1.SignalWorkflowExecutionRequest
) -> v1.SignalWorkflowExecutionResponse:
    run = _open(server, req.workflow_execution)
    server.signal(
        run,
        SignalWorkflow(
            signal_name=req.signal_name, input=req.input.payloads, headers=req.header.fields
        ),
    )
    return v1.SignalWorkflowExecutionResponse()


async def _cancel(
    server: SimulatedTemporal, req: v1.RequestCancelWorkflowExecutionRequest
) -> v1.RequestCancelWorkflowExecutionResponse:
    server.cancel(_open(server, req.workflow_execution), req.reason)
    return v1.RequestCancelWorkflowExecutionResponse()


async def _terminate(
    server: SimulatedTemporal, req: v1.TerminateWorkflowExecutionRequest
) -> v1.TerminateWorkflowExecutionResponse:
    server.close(_open(server, req.workflow_execution), WorkflowExecutionStatus.TERMINATED)
    return v1.TerminateWorkflowExecutionResponse()


async def _query(
    server: SimulatedTemporal, req: v1.QueryWorkflowRequest
) -> v1.QueryWorkflowResponse:
    """Of what was brought to the run before, all is seen: its turn comes first."""
    run = found(server, req.execution)
    for work in server.ready():
        if work.run is run and work.task is None:
            await server.work(work)
    if not run.turns:
        raise error(RPCStatusCode.FAILED_PRECONDITION, "the run was closed before its first turn")
    answer = run.query(
        QueryWorkflow(
            query_id="query",
            query_type=req.query.query_type,
            arguments=req.query.query_args.payloads,
            headers=req.query.header.fields,
        ),
        server.clock.now,
    )
    if answer.HasField("failed"):
        raise error(RPCStatusCode.INVALID_ARGUMENT, answer.failed.message)
    response = v1.QueryWorkflowResponse()
    response.query_result.payloads.append(answer.succeeded.response)
    return response


async def _update(
    server: SimulatedTemporal, req: v1.UpdateWorkflowExecutionRequest
) -> v1.UpdateWorkflowExecutionResponse:
    run = found(server, req.workflow_execution)
    if not run.is_open and req.request.meta.update_id not in run.updates:
        raise error(RPCStatusCode.NOT_FOUND, "workflow execution already completed")
    return await _brought(server, run, req)


async def _brought(
    server: SimulatedTemporal, run: Run, req: v1.UpdateWorkflowExecutionRequest
) -> v1.UpdateWorkflowExecutionResponse:
    request = req.request
    update = server.update(
        run,
        DoUpdate(
            id=request.meta.update_id,
            protocol_instance_id=request.meta.update_id,
            name=request.input.name,
            input=request.input.args.payloads,
            headers=request.input.header.fields,
            meta=request.meta,
            run_validator=True,
        ),
    )
    completed = req.wait_policy.lifecycle_stage == _COMPLETED
    await server.waiting.until(
        lambda: update.is_done or (update.accepted and not completed) or not run.is_open
    )
    response = v1.UpdateWorkflowExecutionResponse(stage=_COMPLETED if update.is_done else _ACCEPTED)
    response.update_ref.update_id = update.update_id
    response.update_ref.workflow_execution.workflow_id = run.workflow_id
    response.update_ref.workflow_execution.run_id = run.run_id
    if update.is_done:
        response.outcome.CopyFrom(_outcome(update))
    return response


def _outcome(update: Update) -> Outcome:
    return Outcome(success=update.success, failure=update.failure)


async def _poll_update(
    server: SimulatedTemporal, req: v1.PollWorkflowExecutionUpdateRequest
) -> v1.PollWorkflowExecutionUpdateResponse:
    run = found(server, req.update_ref.workflow_execution)
    update = run.updates.get(req.update_ref.update_id)
    if update is None:
        raise error(RPCStatusCode.NOT_FOUND, "update not found")
    await server.waiting.until(lambda: update.is_done)
    return v1.PollWorkflowExecutionUpdateResponse(outcome=_outcome(update), stage=_COMPLETED)


async def _multi(
    server: SimulatedTemporal, req: v1.ExecuteMultiOperationRequest
) -> v1.ExecuteMultiOperationResponse:
    """Update-with-start: the two operations happen at once, or none does."""
    start, update = req.operations[0].start_workflow, req.operations[1].update_workflow
    aborted = _status(RPCStatusCode.ABORTED, "aborted", MultiOperationExecutionAborted())
    try:
        started = _started(server, start)
        run = _open(server, WorkflowExecution(workflow_id=start.workflow_id))
    except AlreadyThere as there:
        found = server.find(start.workflow_id)
        known = found is not None and update.request.meta.update_id in found.updates
        if found is None or not known:
            cause = _already(there)
            raise error(
                RPCStatusCode.ALREADY_EXISTS,
                cause.message,
                _multi_failure(_status_of(cause), aborted),
            ) from there
        started, run = v1.StartWorkflowExecutionResponse(run_id=found.run_id), found
    updated = await _brought(server, run, update)
    response = v1.ExecuteMultiOperationResponse()
    response.responses.add().start_workflow.CopyFrom(started)
    response.responses.add().update_workflow.CopyFrom(updated)
    return response


_OperationStatus = MultiOperationExecutionFailure.OperationStatus


def _multi_failure(*statuses: _OperationStatus) -> MultiOperationExecutionFailure:
    return MultiOperationExecutionFailure(statuses=statuses)


def _status(code: RPCStatusCode, message: str, detail: Message) -> _OperationStatus:
    status = _OperationStatus(code=int(code), message=message)
    status.details.add().Pack(detail)
    return status


def _status_of(refusal: RPCError) -> _OperationStatus:
    return _OperationStatus(
        code=int(refusal.status), message=refusal.message, details=refusal.grpc_status.details
    )


ANSWERS: dict[str, Callable[[SimulatedTemporal, Any], Coroutine[Any, Any, Message]]] = {
    "start_workflow_execution": _start,
    "signal_with_start_workflow_execution": _signal_with_start,
    "execute_multi_operation": _multi,
    "signal_workflow_execution": _signal,
    "request_cancel_workflow_execution": _cancel,
    "terminate_workflow_execution": _terminate,
    "query_workflow": _query,
    "update_workflow_execution": _update,
    "poll_workflow_execution_update": _poll_update,
    "describe_workflow_execution": describe,
    "get_workflow_execution_history": ending,
}
