"""Activities on their way between the server and its workers."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import RetryState, TimeoutType
from temporalio.api.failure.v1 import Failure
from temporalio.bridge.proto.workflow_activation import ResolveActivity, WorkflowActivationJob

from simulation.temporal import failures
from simulation.temporal.activities import (
    ActivityTask,
    ActivityWorker,
    Stage,
    WorkerKilled,
    activity_cancelled,
    next_try,
)
from simulation.temporal.work import Death, ReadyWork, Work

if TYPE_CHECKING:
    from simulation.temporal.server import SimulatedTemporal


class ActivityDesk:
    """Hands activities out, waits for lost workers, tries again, and tells the runs."""

    def __init__(self, server: SimulatedTemporal, ready: ReadyWork, worker: ActivityWorker) -> None:
        self._server, self._ready = server, ready
        self.worker = worker
        self.troubles: Counter[str] = Counter()
        """What activities failed with, and how often. Not a part of the history: messages may
        name what nobody chose."""

    def accept(self, task: ActivityTask) -> None:
        """Take a new order."""
        whole = task.order.schedule_to_close_timeout.ToTimedelta()
        if whole:
            task.deadline = self._server.clock.after(whole, lambda: self._expire(task))
        self.offer(task)

    def _expire(self, task: ActivityTask) -> None:
        """Nothing that a worker may still do counts."""
        self.withdraw(task)
        late = TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE
        self._finish(task, failures.timed_out(late, task.heartbeat))

    def offer(self, task: ActivityTask) -> None:
        """Let a worker have it."""
        task.stage = Stage.READY
        self._ready.add(Work(task.run, task))

    def withdraw(self, task: ActivityTask) -> None:
        task.stop()
        self._ready.drop(task)

    async def perform(self, task: ActivityTask, death: Death | None) -> None:
        self._ready.drop(task)
        task.stage = Stage.STARTED
        self._server.log.append(f"{self._server.time()} {task.label}")
        if death is Death.BEFORE:
            self._lose(task)
            return
        try:
            outcome = await self.worker.perform(task, self._server.clock.now)
        except WorkerKilled:
            self._lose(task)
            return
        if death is Death.AFTER:
            self._lose(task)
        elif task.stage is Stage.STARTED:
            self._finish(task, outcome)

    def _lose(self, task: ActivityTask) -> None:
        """The worker died at it: the server waits until it is late."""
        self._server.kill_worker()
        if task.stage is not Stage.STARTED:
            return
        delay, kind = task.lost_after()

        def time_out() -> None:
            self._finish(task, failures.timed_out(kind, task.heartbeat))

        task.alarm = self._server.clock.after(delay, time_out)

    def _finish(self, task: ActivityTask, outcome: Payload | Failure) -> None:
        answer = ResolveActivity(seq=task.order.seq)
        name = task.order.activity_type
        if isinstance(outcome, Failure):
            self.troubles[f"{name}: {outcome.message}"] += 1
        if isinstance(outcome, Payload):
            answer.result.completed.result.CopyFrom(outcome)
            self._resolve(task, f"ACTIVITY_TASK_COMPLETED {name}", answer)
            return
        delay, state = next_try(task, outcome, self._server.clock.now)
        if delay is not None:
            self._try_again(task, outcome, delay)
        elif outcome.HasField("canceled_failure_info") and task.cancel_requested:
            answer.CopyFrom(activity_cancelled(task).resolve_activity)
            self._resolve(task, f"ACTIVITY_TASK_CANCELED {name}", answer)
        else:
            late = outcome.HasField("timeout_failure_info")
            if late and task.last_failure is not None:
                outcome.cause.CopyFrom(task.last_failure)
            answer.result.failed.failure.CopyFrom(
                failures.of_activity(task.order, outcome, RetryState.ValueType(state))
            )
            self._resolve(task, f"ACTIVITY_TASK_{'TIMED_OUT' if late else 'FAILED'} {name}", answer)

    def _try_again(self, task: ActivityTask, failure: Failure, delay: timedelta) -> None:
        self._server.log.append(f"{self._server.time()} {task.label} failed: {_kind_of(failure)}")
        task.attempt += 1
        task.last_failure = failure
        task.stage = Stage.BACKING_OFF
        task.alarm = self._server.clock.after(delay, lambda: self.offer(task))

    def _resolve(self, task: ActivityTask, event: str, answer: ResolveActivity) -> None:
        task.stop()
        run = task.run
        if run.is_open and run.activities.pop(task.order.seq, None) is not None:
            self._server.note(run, event)
            self._server.tell(run, WorkflowActivationJob(resolve_activity=answer))


def _kind_of(failure: Failure) -> str:
    """Of what kind, less the message, which may name ids that nobody chose."""
    return failure.application_failure_info.type or failure.WhichOneof("failure_info") or "failure"
