"""One run: its history of turns, and the instance of the workflow that they have made.

A turn is one activation and the commands that answered it. An instance may be lost at any time;
the next turn then makes a new one out of the turns so far, and they have to give the same
commands again.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.failure.v1 import Failure
from temporalio.bridge.proto.workflow_activation import (
    DoUpdate,
    InitializeWorkflow,
    NotifyHasPatch,
    QueryWorkflow,
    RemoveFromCache,
    WorkflowActivation,
    WorkflowActivationJob,
)
from temporalio.bridge.proto.workflow_commands import QueryResult, UpdateResponse, WorkflowCommand
from temporalio.client import WorkflowExecutionStatus
from temporalio.common import Priority
from temporalio.converter import (
    DataConverter,
    decode_search_attributes,
    decode_typed_search_attributes,
)
from temporalio.worker import WorkflowInboundInterceptor
from temporalio.worker._workflow_instance import (
    _DEFAULT_ENABLED_WORKFLOW_LOGIC_FLAGS,
    UnsandboxedWorkflowRunner,
    WorkflowInstance,
    WorkflowInstanceDetails,
)
from temporalio.workflow import Info, ParentInfo, RootInfo, _Definition

T = TypeVar("T")

if TYPE_CHECKING:
    from simulation.temporal.activities import ActivityTask
    from simulation.temporal.clock import Alarm

NAMESPACE = "default"
SUGGEST_CONTINUE_AS_NEW = 4096
"""Events after which a server suggests it (`limit.historyCountSuggestContinueAsNew`)."""

RUNNING = WorkflowExecutionStatus.RUNNING


class TaskFailed(Exception):
    """Workflow code raised something that fails its task: a server would try it for ever."""


class NotReplayable(Exception):
    """A replay gave other commands than the history holds."""


@dataclass(frozen=True, slots=True)
class Turn:
    at: datetime
    jobs: tuple[WorkflowActivationJob, ...]
    commands: tuple[WorkflowCommand, ...]
    flags: tuple[int, ...]
    events: int
    """Events of the history before it."""


@dataclass
class Update:
    """An update that the run was asked for."""

    update_id: str
    name: str
    accepted: bool = False
    success: Payloads | None = None
    failure: Failure | None = None

    @property
    def is_done(self) -> bool:
        return self.success is not None or self.failure is not None


@dataclass(frozen=True)
class Host:
    """What all runs of one server share."""

    definitions: Mapping[str, _Definition]
    converter: DataConverter
    interceptors: Sequence[type[WorkflowInboundInterceptor]]


@dataclass(eq=False)
class Run:
    host: Host
    workflow_id: str
    run_id: str
    first_run_id: str
    init: InitializeWorkflow
    task_queue: str
    started_at: datetime
    parent: tuple[Run, int] | None = None
    """Who started it as a child, and the number of that command."""
    parent_close_policy: int = 0
    status: WorkflowExecutionStatus = RUNNING
    closed_at: datetime | None = None
    result: Payload | None = None
    failure: Failure | None = None
    next_run_id: str = ""
    """Of a run that continued as new."""
    cancel_requested: bool = False
    search_attributes: dict[str, Payload] = field(default_factory=dict)
    memo: dict[str, Payload] = field(default_factory=dict)
    pending: list[WorkflowActivationJob] = field(default_factory=list)
    """What the next turn brings."""
    turns: list[Turn] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    """The history as a server names it, less workflow tasks and the starts of activities."""
    activities: dict[int, ActivityTask] = field(default_factory=dict)
    timers: dict[int, Alarm] = field(default_factory=dict)
    alarms: list[Alarm] = field(default_factory=list)
    """Time-outs of the run itself."""
    children: dict[int, tuple[Run, int]] = field(default_factory=dict)
    """By command; with how a child's cancellation is awaited."""
    updates: dict[str, Update] = field(default_factory=dict)
    flags: set[int] = field(default_factory=set)
    """Of the SDK's logic, that the turns were made with."""
    replays: int = 0
    _instance: WorkflowInstance | None = None

    @property
    def is_open(self) -> bool:
        return self.status is RUNNING

    @property
    def workflow_type(self) -> str:
        return self.init.workflow_type

    @property
    def history_length(self) -> int:
        """As a server counts: a turn is a workflow task of three events."""
        return len(self.events) + 3 * len(self.turns)

    def add(self, job: WorkflowActivationJob) -> None:
        self.pending.append(job)

    def turn(self, jobs: Sequence[WorkflowActivationJob], now: datetime) -> list[WorkflowCommand]:
        """Activate the workflow with `jobs`, write the turn down, and return its commands.

        Rejected updates are answered in the commands and leave nothing in the history.

        Raises:
            TaskFailed: the code raised what is no failure of the workflow.
            NotReplayable: the instance was lost, and can't be made again.
        """
        instance = self._alive(now)
        flags = sorted(self.flags)
        commands, new_flags = self._activate(
            instance, jobs, now, flags=flags, events=self.history_length, replaying=False
        )
        refused = self._refused(commands)
        kept_jobs = tuple(job for job in jobs if not _of_update(job.do_update, refused))
        kept = tuple(each for each in commands if not _of_update(each.update_response, refused))
        if kept_jobs or kept:
            self.turns.append(Turn(now, kept_jobs, kept, new_flags, self.history_length))
            self.flags.update(new_flags)
        return list(commands)

    def rehearse(self, jobs: Sequence[WorkflowActivationJob], now: datetime) -> None:
        """A turn whose answer is lost with the worker that gave it."""
        instance = self._alive(now)
        self._activate(
            instance,
            jobs,
            now,
            flags=sorted(self.flags),
            events=self.history_length,
            replaying=False,
        )
        self.evict()

    def query(self, query: QueryWorkflow, now: datetime) -> QueryResult:
        """Ask the workflow, a closed one too; leaves nothing in the history."""
        instance = self._alive(now)
        job = WorkflowActivationJob(query_workflow=query)
        commands, _ = self._activate(
            instance,
            [job],
            now,
            flags=sorted(self.flags),
            events=self.history_length,
            replaying=not self.is_open,
        )
        if not self.is_open:
            self.evict()
        return commands[0].respond_to_query

    def evict(self) -> None:
        """Lose the instance, as with its worker."""
        instance, self._instance = self._instance, None
        if instance is not None:
            job = WorkflowActivationJob(remove_from_cache=RemoveFromCache())
            _outside(lambda: instance.activate(WorkflowActivation(run_id=self.run_id, jobs=[job])))

    def _alive(self, now: datetime) -> WorkflowInstance:
        if self._instance is None:
            self._instance = self._made(self.turns[0].at if self.turns else now)
            if self.turns:
                self._replay(self._instance)
        return self._instance

    def _made(self, first_turn_at: datetime) -> WorkflowInstance:
        details = WorkflowInstanceDetails(
            payload_converter_factory=self.host.converter.payload_converter_class,
            failure_converter_class=self.host.converter.failure_converter_class,
            interceptor_classes=self.host.interceptors,
            defn=self.host.definitions[self.workflow_type],
            info=self._info(first_turn_at),
            randomness_seed=self.init.randomness_seed,
            extern_functions={},
            disable_eager_activity_execution=True,
            worker_level_failure_exception_types=(),
            patch_activation_callback=None,
            last_completion_result=self.init.last_completion_result,
            last_failure=None,
            default_workflow_logic_flags=_DEFAULT_ENABLED_WORKFLOW_LOGIC_FLAGS,
        )
        return contextvars.Context().run(UnsandboxedWorkflowRunner().create_instance, details)

    def _info(self, first_turn_at: datetime) -> Info:
        init = self.init
        parent = None
        if init.HasField("parent_workflow_info"):
            info = init.parent_workflow_info
            parent = ParentInfo(
                namespace=info.namespace, run_id=info.run_id, workflow_id=info.workflow_id
            )
        root = None
        if init.HasField("root_workflow"):
            root = RootInfo(
                run_id=init.root_workflow.run_id, workflow_id=init.root_workflow.workflow_id
            )
        return Info(
            attempt=1,
            continued_run_id=init.continued_from_execution_run_id or None,
            cron_schedule=None,
            execution_timeout=init.workflow_execution_timeout.ToTimedelta()
            if init.HasField("workflow_execution_timeout")
            else None,
            first_execution_run_id=self.first_run_id,
            headers=dict(init.headers),
            namespace=NAMESPACE,
            original_execution_run_id=self.run_id,
            parent=parent,
            root=root,
            raw_memo=dict(init.memo.fields),
            retry_policy=None,
            run_id=self.run_id,
            run_timeout=init.workflow_run_timeout.ToTimedelta()
            if init.HasField("workflow_run_timeout")
            else None,
            search_attributes=decode_search_attributes(init.search_attributes),
            start_time=first_turn_at,
            workflow_start_time=self.started_at,
            task_queue=self.task_queue,
            task_timeout=init.workflow_task_timeout.ToTimedelta(),
            typed_search_attributes=decode_typed_search_attributes(init.search_attributes),
            workflow_id=self.workflow_id,
            workflow_type=self.workflow_type,
            priority=Priority.default,
        )

    def _refused(self, commands: Sequence[WorkflowCommand]) -> set[str]:
        """Updates that their validators rejected just now."""
        answers = [each.update_response for each in commands]
        accepted = {each.protocol_instance_id for each in answers if each.HasField("accepted")}
        accepted |= {key for key, update in self.updates.items() if update.accepted}
        rejected = {each.protocol_instance_id for each in answers if each.HasField("rejected")}
        return rejected - accepted

    def _replay(self, instance: WorkflowInstance) -> None:
        self.replays += 1
        flags: set[int] = set()
        for number, turn in enumerate(self.turns):
            patches = [
                WorkflowActivationJob(notify_has_patch=NotifyHasPatch(patch_id=patch_id))
                for patch_id in (
                    command.set_patch_marker.patch_id
                    for command in turn.commands
                    if command.HasField("set_patch_marker")
                )
            ]
            commands, _ = self._activate(
                instance,
                [*patches, *map(_as_accepted, turn.jobs)],
                turn.at,
                flags=sorted(flags.union(turn.flags)),
                events=turn.events,
                replaying=True,
            )
            flags.update(turn.flags)
            given, again = [*map(_essence, turn.commands)], [*map(_essence, commands)]
            if given != again:
                raise NotReplayable(
                    f"{self.workflow_id}, turn {number}: the history holds\n{given}\n"
                    f"and a replay gave\n{again}"
                )

    def _activate(
        self,
        instance: WorkflowInstance,
        jobs: Sequence[WorkflowActivationJob],
        at: datetime,
        *,
        flags: Sequence[int],
        events: int,
        replaying: bool,
    ) -> tuple[Sequence[WorkflowCommand], tuple[int, ...]]:
        timestamp = Timestamp()
        timestamp.FromDatetime(at)
        activation = WorkflowActivation(
            run_id=self.run_id,
            timestamp=timestamp,
            is_replaying=replaying,
            history_length=events,
            jobs=jobs,
            available_internal_flags=flags,
            continue_as_new_suggested=events >= SUGGEST_CONTINUE_AS_NEW,
        )
        completion = _outside(lambda: instance.activate(activation))
        if completion.HasField("failed"):
            failure = completion.failed.failure
            raise TaskFailed(
                f"{self.workflow_type} {self.workflow_id}: {failure.message}\n{failure.stack_trace}"
            )
        return completion.successful.commands, tuple(completion.successful.used_internal_flags)


def _of_update(message: DoUpdate | UpdateResponse, updates: Collection[str]) -> bool:
    return message.protocol_instance_id in updates


def _as_accepted(job: WorkflowActivationJob) -> WorkflowActivationJob:
    """What a history says of an update: its validator has passed."""
    if not job.HasField("do_update"):
        return job
    again = WorkflowActivationJob()
    again.CopyFrom(job)
    again.do_update.run_validator = False
    return again


def _essence(command: WorkflowCommand) -> Any:
    """A command as the core compares it with a history: less failures, which hold stacks."""
    if command.HasField("fail_workflow_execution"):
        return "fail"
    if command.update_response.HasField("rejected"):
        return f"reject {command.update_response.protocol_instance_id}"
    return command


def _outside(act: Callable[[], T]) -> T:
    """Run workflow machinery, which brings a loop of its own, from within a running loop.

    In a context of its own too: nothing that is set around a call to the server reaches in.
    """
    running = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    try:
        return contextvars.Context().run(act)
    finally:
        asyncio._set_running_loop(running)
