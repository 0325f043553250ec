"""Hands the request that a run was started for on to its activities and children, and tells of a
run's end, where somebody wants to know."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, NoReturn

from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.exceptions import FailureError
from temporalio.worker import (
    ContinueAsNewInput,
    ExecuteWorkflowInput,
    StartActivityInput,
    StartChildWorkflowInput,
    WorkflowInboundInterceptor,
    WorkflowOutboundInterceptor,
)
from temporalio.workflow import ContinueAsNewError

from domain.tracing import TRACE_HEADERS

RUN_ENDED = "fansworld_run_ended"
RUN_BROKE = "fansworld_run_broke"
"""Names of the functions outside of the sandbox that are told."""


class HandOnTrace(WorkflowInboundInterceptor):
    """Headers go on as they came: a run has no need to read them."""

    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        self._carried: dict[str, Payload] = {}
        super().init(_HandingOn(outbound, self._carried))

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        self._carried.update(
            (name, input.headers[name]) for name in TRACE_HEADERS if name in input.headers
        )
        try:
            result = await super().execute_workflow(input)
        except FailureError:
            self._tell_end("failed")
            raise
        except ContinueAsNewError:
            self._tell_end("continued")
            raise
        except asyncio.CancelledError:
            # A run that the worker only puts out of its memory comes by here as well.
            if workflow.cancellation_reason() is not None:
                self._tell_end("cancelled")
            raise
        except Exception as error:
            # Its task fails and is tried again, until the code is mended.
            self._tell_broke(error)
            raise
        self._tell_end("done")
        return result

    def _tell_broke(self, error: Exception) -> None:
        tell = workflow.extern_functions().get(RUN_BROKE)
        if tell is None or workflow.unsafe.is_replaying():
            return
        info = workflow.info()
        tell(
            self._carried,
            error,
            workflow=info.workflow_type,
            workflow_id=info.workflow_id,
            run_id=info.run_id,
        )

    def _tell_end(self, outcome: str) -> None:
        """Once: not when the run is replayed. Leaves no trace in its history."""
        tell = workflow.extern_functions().get(RUN_ENDED)
        if tell is None or workflow.unsafe.is_replaying():
            return
        info = workflow.info()
        tell(
            self._carried,
            workflow=info.workflow_type,
            workflow_id=info.workflow_id,
            run_id=info.run_id,
            parent_run_id=info.parent.run_id if info.parent else None,
            begun_at=info.start_time,
            outcome=outcome,
        )


class _HandingOn(WorkflowOutboundInterceptor):
    def __init__(self, next: WorkflowOutboundInterceptor, carried: Mapping[str, Payload]) -> None:
        super().__init__(next)
        self._carried = carried

    def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:
        input.headers = {**input.headers, **self._carried}
        return super().start_activity(input)

    async def start_child_workflow(
        self, input: StartChildWorkflowInput
    ) -> workflow.ChildWorkflowHandle[Any, Any]:
        input.headers = {**input.headers, **self._carried}
        return await super().start_child_workflow(input)

    def continue_as_new(self, input: ContinueAsNewInput) -> NoReturn:
        input.headers = {**input.headers, **self._carried}
        super().continue_as_new(input)
