"""Runs as an operator meets them: which wait for somebody, why, and what is done about it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.client import (
    Client,
    WorkflowExecution,
    WorkflowExecutionDescription,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.service import RPCError, RPCStatusCode

from workflows.attention import BlockedStep, OperatorChoice
from workflows.attributes import CREATOR_ID, JOB_KIND, JOB_STEP, NEEDS_ATTENTION
from workflows.operated import Operated

QUERY_TIMEOUT = timedelta(seconds=5)
DECIDE_TIMEOUT = timedelta(seconds=30)
"""The audit log is written before a run answers, by a worker of `io`."""
QUERIES_AT_ONCE = 16
PAYLOAD_CHARACTERS_MAX = 2000
_STATE = "PENDING_ACTIVITY_STATE_"


class Unanswered(Exception):
    """A sentence: nobody has said whether it is done."""


class RunUnknown(Exception):
    """There is no run of that id."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run, as the list shows it."""

    workflow_id: str
    kind: str
    step: str
    begun: datetime
    status: str
    needs_attention: bool
    creator_id: str | None
    blocked: tuple[BlockedStep, ...] | None = None
    """None: not asked, or no worker answered."""

    @property
    def reasons(self) -> tuple[str, ...]:
        return tuple(blocked.reason for blocked in self.blocked or ())


@dataclass(frozen=True, slots=True)
class PendingStep:
    """An activity that is under way, or waits to be tried again."""

    name: str
    state: str
    attempt: int
    attempts_max: int
    """0: without end."""
    last_failure: str


@dataclass(frozen=True, slots=True)
class RunDetails:
    run: Run
    summary: str
    run_id: str
    history_events: int
    attributes: dict[str, str]
    pending: tuple[PendingStep, ...]
    inputs: tuple[str, ...] = field(default=())
    """What it was started with, decoded; only where it was asked for."""


class Runs:
    """Asks Temporal; changes a run by the updates that it offers."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def find(
        self, *, kind: str | None, creator_id: str | None, running: bool, limit: int
    ) -> list[Run]:
        """Runs that wait for an operator, or all that run; oldest of those found first."""
        conditions = ['ExecutionStatus = "Running"']
        if not running:
            conditions.append(f"{NEEDS_ATTENTION.name} = true")
        if kind is not None:
            conditions.append(f'{JOB_KIND.name} = "{kind}"')
        if creator_id is not None:
            conditions.append(f'{CREATOR_ID.name} = "{creator_id}"')
        found = [
            _run_of(execution)
            async for execution in self._client.list_workflows(
                " AND ".join(conditions), limit=limit
            )
        ]
        gate = asyncio.Semaphore(QUERIES_AT_ONCE)
        found = list(await asyncio.gather(*(self._with_reasons(run, gate) for run in found)))
        return sorted(found, key=lambda run: run.begun)

    async def details(self, workflow_id: str, *, with_inputs: bool) -> RunDetails:
        """Raises: RunUnknown."""
        handle = self._client.get_workflow_handle(workflow_id)
        try:
            described = await handle.describe()
        except RPCError as error:
            raise _unknown(error, workflow_id) from error
        run = await self._with_reasons(_run_of(described), asyncio.Semaphore(1))
        return RunDetails(
            run=run,
            summary=await described.static_summary() or "",
            run_id=described.run_id,
            history_events=described.history_length,
            attributes={
                pair.key.name: str(pair.value) for pair in described.typed_search_attributes
            },
            pending=_pending(described),
            inputs=await self._inputs(workflow_id) if with_inputs else (),
        )

    async def decide(self, workflow_id: str, choice: OperatorChoice, *, skip: bool) -> str:
        """Have a waiting step tried again, or left out; returns what the run says.

        Raises:
            RunUnknown: there is no such run, or it has ended.
            WorkflowUpdateFailedError: the run refuses; its cause says why.
            Unanswered: no worker has answered in time.
            RPCError: the server can't be reached.
        """
        handle = self._client.get_workflow_handle(workflow_id)
        update = Operated.skip_step if skip else Operated.retry_step
        try:
            return str(await handle.execute_update(update, choice, rpc_timeout=DECIDE_TIMEOUT))
        except WorkflowUpdateRPCTimeoutOrCancelledError as error:
            raise Unanswered(
                f"No worker has answered for {workflow_id}. See whether workers of `workflows` and "
                "`io` run, look at the run, and decide again where nothing was done."
            ) from error
        except RPCError as error:
            raise _unknown(error, workflow_id) from error

    async def _with_reasons(self, run: Run, gate: asyncio.Semaphore) -> Run:
        if not run.needs_attention:
            return run
        handle = self._client.get_workflow_handle(run.workflow_id)
        async with gate:
            try:
                blocked = await handle.query(Operated.blocked_steps, rpc_timeout=QUERY_TIMEOUT)
            except (RPCError, WorkflowQueryFailedError, WorkflowQueryRejectedError):
                return run
        return replace(run, blocked=tuple(blocked))

    async def _inputs(self, workflow_id: str) -> tuple[str, ...]:
        handle = self._client.get_workflow_handle(workflow_id)
        async for event in handle.fetch_history_events(page_size=1):
            given = event.workflow_execution_started_event_attributes.input.payloads
            return await self._readable(given)
        return ()

    async def _readable(self, payloads: Sequence[Payload]) -> tuple[str, ...]:
        codec = self._client.data_converter.payload_codec
        plain = await codec.decode(list(payloads)) if codec is not None else payloads
        return tuple(
            payload.data.decode(errors="replace")[:PAYLOAD_CHARACTERS_MAX] for payload in plain
        )


def _run_of(execution: WorkflowExecution | WorkflowExecutionDescription) -> Run:
    attributes = execution.typed_search_attributes
    return Run(
        workflow_id=execution.id,
        kind=attributes.get(JOB_KIND) or execution.workflow_type,
        step=attributes.get(JOB_STEP) or "",
        begun=execution.start_time.astimezone(UTC),
        status=execution.status.name.lower() if execution.status is not None else "",
        needs_attention=bool(attributes.get(NEEDS_ATTENTION)),
        creator_id=attributes.get(CREATOR_ID),
    )


def _pending(described: WorkflowExecutionDescription) -> tuple[PendingStep, ...]:
    return tuple(
        PendingStep(
            name=each.activity_type.name,
            state=PendingActivityState.Name(each.state).removeprefix(_STATE).lower(),
            attempt=each.attempt,
            attempts_max=each.maximum_attempts,
            last_failure=each.last_failure.message,
        )
        for each in described.raw_description.pending_activities
    )


def _unknown(error: RPCError, workflow_id: str) -> Exception:
    if error.status is RPCStatusCode.NOT_FOUND:
        return RunUnknown(f"There is no run {workflow_id}, or it has ended: {error.message}.")
    return error
