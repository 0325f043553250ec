"""What the server does at each command that a workflow gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from temporalio.api.common.v1 import Memo, Payloads, SearchAttributes, WorkflowExecution
from temporalio.api.failure.v1 import Failure
from temporalio.bridge.proto.child_workflow import (
    ChildWorkflowCancellationType,
    StartChildWorkflowExecutionFailedCause,
)
from temporalio.bridge.proto.workflow_activation import (
    FireTimer,
    ResolveActivity,
    ResolveChildWorkflowExecution,
    ResolveChildWorkflowExecutionStart,
    ResolveRequestCancelExternalWorkflow,
    ResolveSignalExternalWorkflow,
    SignalWorkflow,
    WorkflowActivationJob,
)
from temporalio.bridge.proto.workflow_commands import (
    ActivityCancellationType,
    StartTimer,
    UpdateResponse,
    WorkflowCommand,
)
from temporalio.client import WorkflowExecutionStatus

from simulation.temporal import failures
from simulation.temporal.activities import ActivityTask, Stage, activity_cancelled
from simulation.temporal.runs import Run
from simulation.temporal.starting import AlreadyThere, Start

if TYPE_CHECKING:
    from simulation.temporal.server import SimulatedTemporal

Obey = Callable[["SimulatedTemporal", Run, WorkflowCommand], None]

_ENDS = (
    "complete_workflow_execution",
    "fail_workflow_execution",
    "cancel_workflow_execution",
    "continue_as_new_workflow_execution",
)


def obey_all(
    server: SimulatedTemporal, run: Run, commands: Sequence[WorkflowCommand]
) -> list[WorkflowActivationJob]:
    """Obey the commands of one turn; the end of the run comes last.

    Returns:
        What the SDK's core tells the workflow at once, in the same workflow task.
    """
    now: list[WorkflowActivationJob] = []
    undone = _started_and_cancelled(commands)
    ends: list[WorkflowCommand] = []
    for command in commands:
        variant = command.WhichOneof("variant") or "nothing"
        if variant in _ENDS:
            ends.append(command)
        elif variant == "request_cancel_activity":
            now += _cancel_activity(server, run, command, undone=undone)
        elif variant == "cancel_child_workflow_execution":
            now += _cancel_child(server, run, command)
        elif _key(command) not in undone:
            if variant not in _OBEYING:
                raise NotImplementedError(f"the simulated server knows no command {variant}")
            _OBEYING[variant](server, run, command)
    if ends:
        _end(server, run, ends[0])
    return now


def _key(command: WorkflowCommand) -> tuple[str, int]:
    match command.WhichOneof("variant"):
        case "start_timer":
            return "timer", command.start_timer.seq
        case "cancel_timer":
            return "timer", command.cancel_timer.seq
        case "schedule_activity":
            return "activity", command.schedule_activity.seq
        case "request_cancel_activity":
            return "activity", command.request_cancel_activity.seq
    return "", 0


def _started_and_cancelled(commands: Sequence[WorkflowCommand]) -> set[tuple[str, int]]:
    """Timers and activities that never leave the worker: begun and taken back in one turn."""
    keys: dict[str, set[tuple[str, int]]] = {}
    for command in commands:
        keys.setdefault(command.WhichOneof("variant") or "", set()).add(_key(command))
    timers = keys.get("start_timer", set()) & keys.get("cancel_timer", set())
    activities = keys.get("schedule_activity", set()) & keys.get("request_cancel_activity", set())
    return timers | activities


def _start_timer(server: SimulatedTemporal, run: Run, command: WorkflowCommand) -> None:
    order: StartTimer = command.start_timer

    def fire() -> None:
        run.timers.pop(order.seq)
        server.note(run, f"TIMER_FIRED {order.seq}")
        server.tell(run, WorkflowActivationJob(fire_timer=FireTimer(seq=order.seq)))

    delay = order.start_to_fire_timeout.ToTimedelta()
    server.note(run, f"TIMER_STARTED {order.seq} {delay}")
    run.timers[order.seq] = server.clock.after(delay, fire)


def _cancel_timer(server: SimulatedTemporal, run: Run, command: WorkflowCommand) -> None:
    seq = command.cancel_timer.seq
    alarm = run.timers.pop(seq, None)
    if alarm is not None:
        alarm.cancel()
        server.note(run, f"TIMER_CANCELED {seq}")


def _schedule_activity(server: SimulatedTemporal, run: Run, command: WorkflowCommand) -> None:
    order = command.schedule_activity
    task = ActivityTask(run, order, scheduled_at=server.clock.now)
    run.activities[order.seq] = task
    server.note(run, f"ACTIVITY_TASK_SCHEDULED {order.activity_type}")
    server.desk.accept(task)


def _cancel_activity(
    server: SimulatedTemporal, run: Run, command: WorkflowCommand, *, undone: set[tuple[str, int]]
) -> list[WorkflowActivationJob]:
    seq = command.request_cancel_activity.seq
    if ("activity", seq) in undone:
        job = WorkflowActivationJob(resolve_activity=ResolveActivity(seq=seq))
        job.resolve_activity.result.cancelled.failure.CopyFrom(
            failures.cancelled("Activity cancelled")
        )
        return [job]
    task = run.activities.get(seq)
    if task is None:
        return []
    kind = task.order.cancellation_type
    if kind != ActivityCancellationType.ABANDON:
        task.cancel_requested = True
        server.note(run, f"ACTIVITY_TASK_CANCEL_REQUESTED {task.order.activity_type}")
    if kind == ActivityCancellationType.WAIT_CANCELLATION_COMPLETED:
        if task.stage is not Stage.STARTED:
            server.desk.withdraw(task)
            server.note(run, f"ACTIVITY_TASK_CANCELED {task.order.activity_type}")
            server.tell(run, activity_cancelled(task))
        return []
    del run.activities[seq]
    if kind == ActivityCancellationType.TRY_CANCEL:
        server.desk.withdraw(task)
    return [activity_cancelled(task)]


def _start_child(server: SimulatedTemporal, run: Run, command: WorkflowCommand) -> None:
    order = command.start_child_workflow_execution
    server.note(run, f"START_CHILD_WORKFLOW_EXECUTION_INITIATED {order.workflow_type}")
    answer = ResolveChildWorkflowExecutionStart(seq=order.seq)
    try:
        child = server.start(
            Start(
                workflow_id=order.workflow_id,
                workflow_type=order.workflow_type,
                task_queue=order.task_queue,
                arguments=order.input,
                headers=order.headers,
                memo=Memo(fields=order.memo),
                search_attributes=order.search_attributes,
                run_timeout=order.workflow_run_timeout.ToTimedelta(),
                execution_timeout=order.workflow_execution_timeout.ToTimedelta(),
                reuse=order.workflow_id_reuse_policy,
                parent=(run, order.seq),
                parent_close_policy=order.parent_close_policy,
            )
        )
    except AlreadyThere:
        server.note(run, f"START_CHILD_WORKFLOW_EXECUTION_FAILED {order.workflow_type}")
        answer.failed.workflow_id = order.workflow_id
        answer.failed.workflow_type = order.workflow_type
        causes = StartChildWorkflowExecutionFailedCause
        answer.failed.cause = (
            causes.START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_WORKFLOW_ALREADY_EXISTS
        )
    else:
        run.children[order.seq] = (child, order.cancellation_type)
        server.note(run, f"CHILD_WORKFLOW_EXECUTION_STARTED {order.workflow_type}")
        answer.succeeded.run_id = child.run_id
    server.tell(run, WorkflowActivationJob(resolve_child_workflow_execution_start=answer))


def _cancel_child(
    server: SimulatedTemporal, run: Run, command: WorkflowCommand
) -> list[WorkflowActivationJob]:
    seq = command.cancel_child_workflow_execution.child_workflow_seq
    if seq not in run.children:
        return []
    child, kind = run.children[seq]
    if kind != ChildWorkflowCancellationType.ABANDON:
        server.note(run, "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED")
        server.cancel(child, command.cancel_child_workflow_execution.reason)
        server.note(run, "EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED")
    if kind == ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED:
        return []
    del run.children[seq]
    answer = ResolveChildWorkflowExecution(seq=seq)
    answer.result.cancelled.failure.CopyFrom(
        failures.of_child(
            child.workflow_type,
            child.workflow_id,
            child.run_id,
            failures.cancelled("Child Workflow execution cancelled"),
        )
    )
    return [WorkflowActivationJob(resolve_child_workflow_execution=answer)]


def _signal_external(server: SimulatedTemporal, run: Run, command: WorkflowCommand) -> None:
    order = command.signal_external_workflow_execution
    workflow_id = order.child_workflow_id or order.workflow_execution.workflow_id
    server.note(run, f"SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED {order.signal_name}")
    answer = ResolveSignalExternalWorkflow(seq=order.seq)
    target = server.find(workflow_id, order.workflow_execution.run_id)
    if target is None or not target.is_open:
        server.note(run, "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED")
        answer.failure.CopyFrom(failures.not_found(workflow_id))
    else:
        server.signal(
            target,
            SignalWorkflow(signal_name=order.signal_name, input=order.args, headers=order.headers),
        )
        server.note(run, "EXTERNAL_WORKFLOW_EXECUTION_SIGNALED")
    server.tell(run, WorkflowActivationJob(resolve_signal_external_workflow=answer))


def _cancel_external(server: SimulatedTemporal, run: Run, command: WorkflowCommand) -> None:
    order = command.request_cancel_external_workflow_execution
    execution: WorkflowExecution = WorkflowExecution(
        workflow_id=order.workflow_execution.workflow_id, run_id=order.workflow_execution.run_id
    )
    server.note(run, "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED")
    answer = ResolveRequestCancelExternalWorkflow(seq=order.seq)
    target = server.find(execution.workflow_id, execution.run_id)
    if target is None or not target.is_open:
        server.note(run, "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED")
        answer.failure.CopyFrom(failures.not_found(execution.workflow_id))
    else:
        server.cancel(target, order.reason)
        server.note(run, "EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED")
    server.tell(run, WorkflowActivationJob(resolve_request_cancel_external_workflow=answer))


def _upsert(server: SimulatedTemporal, run: Run, command: WorkflowCommand) -> None:
    attributes: SearchAttributes = command.upsert_workflow_search_attributes.search_attributes
    run.search_attributes.update(attributes.indexed_fields)
    server.note(
        run, f"UPSERT_WORKFLOW_SEARCH_ATTRIBUTES {', '.join(sorted(attributes.indexed_fields))}"
    )


def _modify(server: SimulatedTemporal, run: Run, command: WorkflowCommand) -> None:
    run.memo.update(command.modify_workflow_properties.upserted_memo.fields)
    server.note(run, "WORKFLOW_PROPERTIES_MODIFIED")


def _mark(server: SimulatedTemporal, run: Run, command: WorkflowCommand) -> None:
    """The core makes a patch searchable, too."""
    server.note(run, f"MARKER_RECORDED {command.set_patch_marker.patch_id}")
    server.note(run, "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES TemporalChangeVersion")


def _answer_update(server: SimulatedTemporal, run: Run, command: WorkflowCommand) -> None:
    answer: UpdateResponse = command.update_response
    update = run.updates[answer.protocol_instance_id]
    if answer.HasField("accepted"):
        update.accepted = True
        server.note(run, f"WORKFLOW_EXECUTION_UPDATE_ACCEPTED {update.name}")
        return
    if answer.HasField("completed"):
        update.success = Payloads(payloads=[answer.completed])
    else:
        update.failure = Failure()
        update.failure.CopyFrom(answer.rejected)
    if update.accepted:
        server.note(run, f"WORKFLOW_EXECUTION_UPDATE_COMPLETED {update.name}")


def _end(server: SimulatedTemporal, run: Run, command: WorkflowCommand) -> None:
    match command.WhichOneof("variant"):
        case "complete_workflow_execution":
            run.result = command.complete_workflow_execution.result
            server.close(run, WorkflowExecutionStatus.COMPLETED)
        case "fail_workflow_execution":
            run.failure = command.fail_workflow_execution.failure
            server.close(run, WorkflowExecutionStatus.FAILED)
        case "cancel_workflow_execution":
            server.close(run, WorkflowExecutionStatus.CANCELED)
        case _:
            _continue_as_new(server, run, command)


def _continue_as_new(server: SimulatedTemporal, run: Run, command: WorkflowCommand) -> None:
    order = command.continue_as_new_workflow_execution
    attributes = order.search_attributes if order.HasField("search_attributes") else None
    following = server.new_run(
        Start(
            workflow_id=run.workflow_id,
            workflow_type=order.workflow_type or run.workflow_type,
            task_queue=order.task_queue or run.task_queue,
            arguments=order.arguments,
            headers=order.headers,
            memo=Memo(fields=order.memo or run.memo),
            search_attributes=attributes or SearchAttributes(indexed_fields=run.search_attributes),
            run_timeout=order.workflow_run_timeout.ToTimedelta(),
            continues=run,
            parent=run.parent,
            parent_close_policy=run.parent_close_policy,
        )
    )
    run.next_run_id = following.run_id
    server.close(run, WorkflowExecutionStatus.CONTINUED_AS_NEW)
    server.begin(following)


_OBEYING: dict[str, Obey] = {
    "start_timer": _start_timer,
    "cancel_timer": _cancel_timer,
    "schedule_activity": _schedule_activity,
    "start_child_workflow_execution": _start_child,
    "signal_external_workflow_execution": _signal_external,
    "request_cancel_external_workflow_execution": _cancel_external,
    "upsert_workflow_search_attributes": _upsert,
    "modify_workflow_properties": _modify,
    "set_patch_marker": _mark,
    "update_response": _answer_update,
}
