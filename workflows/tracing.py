"""Hands the request that a run was started for on to its activities and children."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.worker import (
    ContinueAsNewInput,
    ExecuteWorkflowInput,
    StartActivityInput,
    StartChildWorkflowInput,
    WorkflowInboundInterceptor,
    WorkflowOutboundInterceptor,
)

from domain.tracing import TRACE_HEADERS


class HandOnTrace(WorkflowInboundInterceptor):
    """Headers go on as they came: a run has no need to read them."""

    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        self._carried: dict[str, Payload] = {}
        super().init(_HandingOn(outbound, self._carried))

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        self._carried.update(
            (name, input.headers[name]) for name in TRACE_HEADERS if name in input.headers
        )
        return await super().execute_workflow(input)


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
