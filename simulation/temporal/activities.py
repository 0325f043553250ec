"""Activities: how one is called in process, and whether it is tried again."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from google.protobuf.duration_pb2 import Duration
from temporalio.activity import _Definition
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import RetryState, TimeoutType
from temporalio.api.failure.v1 import Failure
from temporalio.bridge.proto.workflow_activation import ResolveActivity, WorkflowActivationJob
from temporalio.bridge.proto.workflow_commands import ScheduleActivity
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.converter import DataConverter
from temporalio.testing import ActivityEnvironment

from simulation.temporal import failures
from simulation.temporal.clock import Alarm
from simulation.temporal.runs import NAMESPACE, Run

Activity = Callable[..., Any]


class WorkerKilled(BaseException):
    """Raised by what an activity calls, to end its worker there. Not to be caught: a process
    that is killed runs no handlers. Open transactions roll back as the connection's end would."""


class NotServed(Exception):
    """A workflow wants an activity on a queue where no worker offers it: it would wait for ever."""


class Stage(Enum):
    READY = "ready"
    BACKING_OFF = "backing off"
    STARTED = "started"
    """A worker has it. After a worker's death, until its time-out."""
    OVER = "over"


@dataclass(eq=False)
class ActivityTask:
    run: Run
    order: ScheduleActivity
    scheduled_at: datetime
    attempt: int = 1
    stage: Stage = Stage.READY
    heartbeat: tuple[Payload, ...] = ()
    last_failure: Failure | None = None
    cancel_requested: bool = False
    alarm: Alarm | None = None
    """Of the end of its backing off, or of its time-out."""
    deadline: Alarm | None = None
    """Of the time-out over all attempts, and the waiting for workers between them."""

    @property
    def label(self) -> str:
        return f"{self.order.activity_type} of {self.run.workflow_id}, attempt {self.attempt}"

    def stop(self) -> None:
        self.stage = Stage.OVER
        for alarm in (self.alarm, self.deadline):
            if alarm is not None:
                alarm.cancel()

    def lost_after(self) -> tuple[timedelta, TimeoutType.ValueType]:
        """How long the server waits for a worker that is gone, and which time-out that is."""
        order = self.order
        waits = [
            (order.heartbeat_timeout, TimeoutType.TIMEOUT_TYPE_HEARTBEAT),
            (order.start_to_close_timeout, TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE),
            (order.schedule_to_close_timeout, TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE),
        ]
        given = [(wait.ToTimedelta(), kind) for wait, kind in waits if wait.ToTimedelta()]
        return min(given, key=lambda each: each[0])


def next_try(
    task: ActivityTask, failure: Failure, now: datetime
) -> tuple[timedelta | None, RetryState.ValueType]:
    """The delay before the next attempt, or None and why there is none.

    As the server decides ("Retry Policies" in Temporal's documentation).
    """
    policy = _policy(task.order)
    if task.cancel_requested:
        return None, RetryState.RETRY_STATE_CANCEL_REQUESTED
    application = failure.application_failure_info
    if application.non_retryable or application.type in (policy.non_retryable_error_types or ()):
        return None, RetryState.RETRY_STATE_NON_RETRYABLE_FAILURE
    if failure.HasField("terminated_failure_info") or failure.HasField("canceled_failure_info"):
        return None, RetryState.RETRY_STATE_NON_RETRYABLE_FAILURE
    if policy.maximum_attempts and task.attempt >= policy.maximum_attempts:
        return None, RetryState.RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED
    most = policy.maximum_interval or policy.initial_interval * 100
    # The exponent is capped, or the product would pass what a float can hold.
    factor = policy.backoff_coefficient ** min(task.attempt - 1, 60)
    grown = policy.initial_interval.total_seconds() * factor
    delay = timedelta(seconds=min(most.total_seconds(), grown))
    if application.HasField("next_retry_delay"):
        delay = application.next_retry_delay.ToTimedelta()
    whole = task.order.schedule_to_close_timeout.ToTimedelta()
    if whole and now + delay > task.scheduled_at + whole:
        return None, RetryState.RETRY_STATE_TIMEOUT
    return delay, RetryState.RETRY_STATE_IN_PROGRESS


def _policy(order: ScheduleActivity) -> RetryPolicy:
    """Unset fields have the server's defaults: 1 s, doubled, up to a hundred times, for ever."""
    given = order.retry_policy
    return RetryPolicy(
        initial_interval=given.initial_interval.ToTimedelta() or timedelta(seconds=1),
        backoff_coefficient=given.backoff_coefficient or 2.0,
        maximum_interval=given.maximum_interval.ToTimedelta() or None,
        maximum_attempts=given.maximum_attempts,
        non_retryable_error_types=list(given.non_retryable_error_types),
    )


def activity_cancelled(task: ActivityTask) -> WorkflowActivationJob:
    job = WorkflowActivationJob(resolve_activity=ResolveActivity(seq=task.order.seq))
    job.resolve_activity.result.cancelled.failure.CopyFrom(
        failures.of_activity(
            task.order,
            failures.cancelled("Activity cancelled"),
            RetryState.RETRY_STATE_CANCEL_REQUESTED,
        )
    )
    return job


@dataclass
class ActivityWorker:
    """Every activity there is, by the name of its queue."""

    client: Client
    converter: DataConverter
    on_queues: Mapping[str, Sequence[Activity]]
    _found: dict[tuple[str, str], _Definition] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for queue, activities in self.on_queues.items():
            for each in activities:
                definition = _Definition.must_from_callable(each)
                self._found[queue, definition.name or ""] = definition

    async def perform(self, task: ActivityTask, now: datetime) -> Payload | Failure:
        """Call the activity once. What it heartbeats is kept in the task.

        Raises:
            WorkerKilled: from within.
        """
        order = task.order
        definition = self._found.get((order.task_queue, order.activity_type))
        if definition is None:
            raise NotServed(f"{order.activity_type} on {order.task_queue}: {task.label}")
        converter = self.converter.payload_converter
        try:
            types = definition.arg_types
            if types is not None and len(types) != len(order.arguments):
                types = None
            arguments = converter.from_payloads(order.arguments, types)
            result = self._environment(task, now).run(definition.fn, *arguments)
            if inspect.isawaitable(result):
                result = await result
            [payload] = converter.to_payloads([result])
        except (Exception, asyncio.CancelledError) as error:
            failure = Failure()
            self.converter.failure_converter.to_failure(error, converter, failure)
            return failure
        return payload

    def _environment(self, task: ActivityTask, now: datetime) -> ActivityEnvironment:
        order, converter = task.order, self.converter.payload_converter

        def keep_heartbeat(*details: Any) -> None:
            task.heartbeat = tuple(converter.to_payloads(details))

        environment = ActivityEnvironment(self.client)
        environment.payload_converter = converter
        environment.on_heartbeat = keep_heartbeat
        environment.info = replace(
            environment.info,
            activity_id=order.activity_id,
            activity_type=order.activity_type,
            attempt=task.attempt,
            current_attempt_scheduled_time=now,
            heartbeat_details=converter.from_payloads(task.heartbeat),
            heartbeat_timeout=_given(order.heartbeat_timeout),
            namespace=NAMESPACE,
            schedule_to_close_timeout=_given(order.schedule_to_close_timeout),
            scheduled_time=task.scheduled_at,
            start_to_close_timeout=_given(order.start_to_close_timeout),
            started_time=now,
            task_queue=order.task_queue,
            task_token=f"{task.run.run_id}:{order.seq}".encode(),
            workflow_id=task.run.workflow_id,
            workflow_namespace=NAMESPACE,
            workflow_run_id=task.run.run_id,
            workflow_type=task.run.workflow_type,
            retry_policy=_policy(order),
        )
        return environment


def _given(duration: Duration) -> timedelta | None:
    return duration.ToTimedelta() or None
