"""The server and its workers in one object. It does one thing at a time, when it is told to."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.bridge.proto.child_workflow import ParentClosePolicy
from temporalio.bridge.proto.workflow_activation import (
    CancelWorkflow,
    DoUpdate,
    ResolveChildWorkflowExecution,
    SignalWorkflow,
    WorkflowActivationJob,
)
from temporalio.client import Client, Interceptor, WorkflowExecutionStatus
from temporalio.converter import DataConverter
from temporalio.worker import WorkflowInboundInterceptor
from temporalio.workflow import _Definition

from infra.temporal import MarkingConverter
from simulation.temporal import failures
from simulation.temporal.activities import (
    Activity,
    ActivityWorker,
)
from simulation.temporal.clock import VirtualClock
from simulation.temporal.commands import obey_all
from simulation.temporal.desk import ActivityDesk
from simulation.temporal.runs import NAMESPACE, Host, Run, Update
from simulation.temporal.service import SimulatedService, Waiting
from simulation.temporal.starting import (
    AlreadyThere,
    Start,
    check_reuse,
    conflict_policy,
    initialization,
)
from simulation.temporal.work import Death, ReadyWork, Work

T = TypeVar("T")

_RUN_IDS = uuid.UUID("0f0b0f3e-7a0f-5d57-8d0d-2b6e1b7d6a10")
TERMINATE_EXISTING, USE_EXISTING = 3, 2
"""Of `WorkflowIdConflictPolicy`."""


class Stuck(Exception):
    """Something is waited for that nothing will bring about."""


class SimulatedTemporal:
    """Start and ask through `client`; decide through `ready`, `work` and the clock.

    Args:
        seed: of run ids, and so of what workflows draw by chance.
        choose: which of so many ready pieces of work is next, for what runs by itself
            (`settle`, `pass_time`, `drive`); the first, if nothing is given.
    """

    def __init__(
        self,
        *,
        workflows: Iterable[type],
        now: datetime,
        seed: int = 0,
        choose: Callable[[int], int] = lambda _count: 0,
        interceptors: Sequence[type[WorkflowInboundInterceptor]] = (),
        client_interceptors: Sequence[Interceptor] = (),
    ) -> None:
        converter = DataConverter(payload_converter_class=MarkingConverter)
        definitions = [_Definition.must_from_class(each) for each in workflows]
        self._host = Host({each.name or "": each for each in definitions}, converter, interceptors)
        self._seed, self._choose = seed, choose
        self._runs: dict[str, Run] = {}
        self._latest: dict[str, Run] = {}
        self._ready = ReadyWork()
        self.clock = VirtualClock(now)
        self.log: list[str] = []
        """The history of all that has happened, in words. No id in it is drawn by a client."""
        self.waiting = Waiting()
        self.service = SimulatedService(self)
        self.client = Client(
            self.service,
            namespace=NAMESPACE,
            data_converter=converter,
            interceptors=client_interceptors,
        )
        self.desk = ActivityDesk(self, self._ready, ActivityWorker(self.client, converter, {}))

    def serve(self, on_queues: Mapping[str, Sequence[Activity]]) -> None:
        """Offer activities, by the names of their queues."""
        self.desk.worker = ActivityWorker(self.client, self._host.converter, on_queues)

    # --- what happens next --------------------------------------------------------------------

    @property
    def runs(self) -> tuple[Run, ...]:
        return tuple(self._runs.values())

    @property
    def digest(self) -> str:
        return hashlib.sha256("\n".join(self.log).encode()).hexdigest()

    def ready(self) -> list[Work]:
        """What can be done at this moment, in the order in which it became possible."""
        return list(self._ready)

    async def work(self, work: Work, death: Death | None = None) -> None:
        """Do one piece of work; or have the worker die at it, and with it every cached run."""
        if work not in self._ready:
            raise ValueError(f"not ready: {work.label}")
        if work.task is not None:
            await self.desk.perform(work.task, death)
        else:
            self._turn(work.run, death)
        self.waiting.look()

    async def step(self) -> bool:
        """Do what `choose` chooses. Returns whether there was anything to do."""
        ready = self.ready()
        if ready:
            await self.work(ready[self._choose(len(ready))])
        return bool(ready)

    async def settle(self) -> None:
        """Work until nothing can be done before time passes."""
        while await self.step():
            pass

    async def pass_time(self, duration: timedelta) -> None:
        """Let time go by with workers at work: each moment at which something is due is seen."""
        end = self.clock.now + duration
        await self.settle()
        while (due := self.clock.next_due()) is not None and due <= end:
            self.clock.advance(due)
            await self.settle()
        self.clock.advance(end)

    def jump(self, duration: timedelta) -> None:
        """Let time go by with no worker there: what was due meanwhile is due at the end."""
        self.clock.advance(self.clock.now + duration)

    async def drive(self, awaitable: Awaitable[T]) -> T:
        """Await something that waits for runs: work, and pass time where there is no work.

        Raises:
            Stuck: it waits for what nothing will bring about.
        """
        task = asyncio.ensure_future(awaitable)
        while not task.done():
            if not self.waiting:
                await asyncio.wait(
                    {task, arrival := asyncio.ensure_future(self.waiting.somebody())},
                    return_when=asyncio.FIRST_COMPLETED,
                )
                arrival.cancel()
            elif not await self.step():
                due = self.clock.next_due()
                if due is None:
                    task.cancel()
                    raise Stuck("nothing is ready, no time is waited for")
                self.clock.advance(due)
                # Who was told that the time is up leaves the queue at the loop's next turn.
                await asyncio.sleep(0)
        return await task

    def kill_worker(self) -> None:
        """Lose every cached run: the next turn of each replays its history."""
        self.log.append(f"{self.time()} a worker dies")
        for run in self._runs.values():
            run.evict()

    # --- runs ---------------------------------------------------------------------------------

    def find(self, workflow_id: str, run_id: str = "") -> Run | None:
        """The run of that id, else the latest of the workflow's."""
        if run_id:
            found = self._runs.get(run_id)
            return found if found is not None and found.workflow_id == workflow_id else None
        return self._latest.get(workflow_id)

    def start(self, start: Start) -> Run:
        """Start a run, or return the running one where the policy says so.

        Raises:
            AlreadyThere: by its policies.
        """
        there = self._latest.get(start.workflow_id)
        if there is not None and there.is_open:
            policy = conflict_policy(start)
            if policy == USE_EXISTING:
                return there
            if policy != TERMINATE_EXISTING:
                raise AlreadyThere(there)
            self.close(there, WorkflowExecutionStatus.TERMINATED)
        elif there is not None:
            check_reuse(start, there)
        run = self.new_run(start)
        self.begin(run)
        return run

    def new_run(self, start: Start) -> Run:
        """Make a run that has not begun yet."""
        run_id = str(uuid.uuid5(_RUN_IDS, f"{self._seed}:{len(self._runs)}"))
        init = initialization(start, run_id, self.clock.now)
        run = Run(
            host=self._host,
            workflow_id=start.workflow_id,
            run_id=run_id,
            first_run_id=init.first_execution_run_id,
            init=init,
            task_queue=start.task_queue,
            started_at=self.clock.now,
            parent=start.parent,
            parent_close_policy=start.parent_close_policy,
            search_attributes=dict(start.search_attributes.indexed_fields),
            memo=dict(start.memo.fields),
        )
        self._runs[run_id] = run
        return run

    def begin(self, run: Run) -> None:
        if run.workflow_type not in self._host.definitions:
            raise ValueError(f"no worker knows the workflow {run.workflow_type}")
        self._latest[run.workflow_id] = run
        self.note(run, f"WORKFLOW_EXECUTION_STARTED {run.workflow_type}")
        self.tell(run, WorkflowActivationJob(initialize_workflow=run.init))
        for limit in (run.init.workflow_run_timeout, run.init.workflow_execution_timeout):
            if limit.ToTimedelta():
                run.alarms.append(
                    self.clock.after(limit.ToTimedelta(), lambda: self._time_out(run))
                )
        if run.parent is not None:
            parent, seq = run.parent
            if seq in parent.children:
                parent.children[seq] = (run, parent.children[seq][1])

    def signal(self, run: Run, signal: SignalWorkflow) -> None:
        self.note(run, f"WORKFLOW_EXECUTION_SIGNALED {signal.signal_name}")
        signal.originating_event_id = run.history_length
        self.tell(run, WorkflowActivationJob(signal_workflow=signal))

    def update(self, run: Run, job: DoUpdate) -> Update:
        """Bring an update to a run; the same id again finds the first."""
        update = run.updates.get(job.id)
        if update is None:
            update = run.updates[job.id] = Update(job.id, job.name)
            self.log.append(f"{self.time()} {run.workflow_id} is asked for {job.name}")
            self.tell(run, WorkflowActivationJob(do_update=job))
        return update

    def cancel(self, run: Run, reason: str) -> None:
        if run.is_open and not run.cancel_requested:
            run.cancel_requested = True
            self.note(run, "WORKFLOW_EXECUTION_CANCEL_REQUESTED")
            self.tell(run, WorkflowActivationJob(cancel_workflow=CancelWorkflow(reason=reason)))

    def close(self, run: Run, status: WorkflowExecutionStatus) -> None:
        """End a run: what it waited for is dropped, who waits for it hears of it."""
        run.status, run.closed_at = status, self.clock.now
        self.note(run, f"WORKFLOW_EXECUTION_{status.name}")
        for alarm in [*run.timers.values(), *run.alarms]:
            alarm.cancel()
        run.timers.clear()
        for task in run.activities.values():
            self.desk.withdraw(task)
        run.activities.clear()
        run.pending.clear()
        self._ready.drop(run)
        for update in run.updates.values():
            if not update.is_done:
                update.failure = failures.update_outlived()
        if status is not WorkflowExecutionStatus.CONTINUED_AS_NEW:
            for child, _ in run.children.values():
                self._leave_child(child)
            if run.parent is not None:
                self._tell_parent(*run.parent, run)
        run.evict()
        self.waiting.look()

    def note(self, run: Run, event: str) -> None:
        run.events.append(event)
        self.log.append(f"{self.time()} {run.workflow_id} {event}")

    def tell(self, run: Run, job: WorkflowActivationJob) -> None:
        """Have the run hear of something at its next turn."""
        run.add(job)
        self._ready.add(Work(run))

    # --- turns --------------------------------------------------------------------------------

    def _turn(self, run: Run, death: Death | None) -> None:
        if death is not None:
            if death is Death.AFTER:
                run.rehearse(run.pending, self.clock.now)
            self.kill_worker()
            return
        self._ready.drop(run)
        jobs, run.pending = run.pending, []
        while jobs:
            commands = run.turn(jobs, self.clock.now)
            jobs = obey_all(self, run, commands)
            if not run.is_open:
                return

    def _time_out(self, run: Run) -> None:
        if run.is_open:
            self.close(run, WorkflowExecutionStatus.TIMED_OUT)

    def _leave_child(self, child: Run) -> None:
        """The parent is over."""
        if not child.is_open:
            return
        match child.parent_close_policy:
            case ParentClosePolicy.PARENT_CLOSE_POLICY_ABANDON:
                return
            case ParentClosePolicy.PARENT_CLOSE_POLICY_REQUEST_CANCEL:
                self.cancel(child, "")
            case _:
                self.close(child, WorkflowExecutionStatus.TERMINATED)

    def _tell_parent(self, parent: Run, seq: int, child: Run) -> None:
        if not parent.is_open or parent.children.pop(seq, None) is None:
            return
        answer = ResolveChildWorkflowExecution(seq=seq)
        result = answer.result
        match child.status:
            case WorkflowExecutionStatus.COMPLETED:
                result.completed.result.CopyFrom(child.result or Payload())
            case WorkflowExecutionStatus.CANCELED:
                cause = failures.cancelled("Workflow cancelled")
                result.cancelled.failure.CopyFrom(_child_failure(child, cause))
            case _:
                cause = child.failure or Failure(message=child.status.name)
                result.failed.failure.CopyFrom(_child_failure(child, cause))
        self.note(parent, f"CHILD_WORKFLOW_EXECUTION_{child.status.name} {child.workflow_type}")
        self.tell(parent, WorkflowActivationJob(resolve_child_workflow_execution=answer))

    def time(self) -> str:
        return self.clock.now.isoformat(timespec="milliseconds")


def _child_failure(child: Run, cause: Failure) -> Failure:
    return failures.of_child(child.workflow_type, child.workflow_id, child.run_id, cause)
