"""Whether a run may start, and with what."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import Memo, Payload, SearchAttributes
from temporalio.api.enums.v1 import WorkflowIdConflictPolicy, WorkflowIdReusePolicy
from temporalio.bridge.proto.common import NamespacedWorkflowExecution
from temporalio.bridge.proto.workflow_activation import InitializeWorkflow
from temporalio.client import WorkflowExecutionStatus

from simulation.temporal.runs import NAMESPACE, Run


@dataclass(frozen=True)
class Start:
    """What a client, a parent, or an earlier run asks for."""

    workflow_id: str
    workflow_type: str
    task_queue: str
    arguments: Iterable[Payload] = ()
    headers: Mapping[str, Payload] = field(default_factory=dict)
    memo: Memo = field(default_factory=Memo)
    search_attributes: SearchAttributes = field(default_factory=SearchAttributes)
    run_timeout: timedelta = timedelta()
    execution_timeout: timedelta = timedelta()
    """Zero where there is none."""
    reuse: int = 0
    conflict: int = 0
    parent: tuple[Run, int] | None = None
    parent_close_policy: int = 0
    continues: Run | None = None


class AlreadyThere(Exception):
    """A run of this id forbids another one."""

    def __init__(self, run: Run) -> None:
        self.run = run
        super().__init__(f"{run.workflow_id} is {run.status.name}")


def conflict_policy(start: Start) -> int:
    """The policy for a running namesake; unset means to fail, as the server has it."""
    if start.reuse == WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING:
        return WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING
    return start.conflict or WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_FAIL


def check_reuse(start: Start, closed: Run) -> None:
    """Judge a closed namesake.

    Raises:
        AlreadyThere: it may not be followed by another run.
    """
    match start.reuse:
        case WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE:
            raise AlreadyThere(closed)
        case WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY:
            if closed.status is WorkflowExecutionStatus.COMPLETED:
                raise AlreadyThere(closed)


def initialization(start: Start, run_id: str, now: datetime) -> InitializeWorkflow:
    """What the workflow is told first. What it draws by chance comes from the run's id."""
    at = Timestamp()
    at.FromDatetime(now)
    init = InitializeWorkflow(
        workflow_type=start.workflow_type,
        workflow_id=start.workflow_id,
        arguments=start.arguments,
        randomness_seed=uuid.UUID(run_id).int & ((1 << 63) - 1),
        headers=start.headers,
        first_execution_run_id=run_id,
        attempt=1,
        memo=start.memo,
        search_attributes=start.search_attributes,
        start_time=at,
    )
    init.workflow_task_timeout.FromTimedelta(timedelta(seconds=10))
    if start.run_timeout:
        init.workflow_run_timeout.FromTimedelta(start.run_timeout)
    if start.execution_timeout:
        init.workflow_execution_timeout.FromTimedelta(start.execution_timeout)
    if start.continues is not None:
        init.first_execution_run_id = start.continues.first_run_id
        init.continued_from_execution_run_id = start.continues.run_id
    if start.parent is not None:
        parent = start.parent[0]
        init.parent_workflow_info.CopyFrom(
            NamespacedWorkflowExecution(
                namespace=NAMESPACE, workflow_id=parent.workflow_id, run_id=parent.run_id
            )
        )
    return init
