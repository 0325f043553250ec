"""Carries the request that something is done for: in this process, and into runs.

The ids stand in headers of the run, which nothing encrypts: they say nothing about anybody, and
an operator who has only the id from a problem finds the run by it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import structlog
from temporalio.api.common.v1 import Payload
from temporalio.client import (
    Interceptor,
    OutboundInterceptor,
    SignalWorkflowInput,
    StartWorkflowInput,
    StartWorkflowUpdateInput,
    StartWorkflowUpdateWithStartInput,
    WorkflowHandle,
    WorkflowUpdateHandle,
)
from temporalio.converter import PayloadConverter

from domain.tracing import TRACE_HEADERS, Trace, continue_trace
from infra.spans import current_traceparent

_current: ContextVar[Trace | None] = ContextVar("trace", default=None)
_converter = PayloadConverter.default


def begin_trace(request_id: str, given: str | None) -> Trace:
    """Of a request that has just come, with the `traceparent` it came with; or of its span."""
    traceparent = current_traceparent() or continue_trace(
        given, new_trace_id=os.urandom(16).hex(), new_span_id=os.urandom(8).hex()
    )
    trace = Trace(request_id, traceparent)
    _current.set(trace)
    structlog.contextvars.bind_contextvars(
        request_id=request_id, trace_id=trace.trace_id, span_id=trace.span_id
    )
    return trace


@contextmanager
def traced(trace: Trace | None) -> Iterator[None]:
    """What is done and logged inside is done for that request; for None, for no request."""
    token = _current.set(trace)
    ids: dict[str, str] = {}
    if trace is not None:
        ids = {
            "request_id": trace.request_id,
            "trace_id": trace.trace_id,
            "span_id": trace.span_id,
        }
    try:
        with structlog.contextvars.bound_contextvars(**ids):
            yield
    finally:
        _current.reset(token)


def trace_from(headers: Mapping[str, Payload]) -> Trace | None:
    """The request that a run's headers name."""
    if any(name not in headers for name in TRACE_HEADERS):
        return None
    request_id, traceparent = (
        _converter.from_payload(headers[name], str) for name in TRACE_HEADERS
    )
    return Trace(request_id, traceparent)


def _with_trace(headers: Mapping[str, Payload]) -> Mapping[str, Payload]:
    trace = _current.get()
    if trace is None:
        return headers
    # A step that starts a run is its parent, where steps have spans.
    values = (trace.request_id, current_traceparent() or trace.traceparent)
    named = zip(TRACE_HEADERS, values, strict=True)
    return {**headers, **{name: _converter.to_payload(value) for name, value in named}}


class CarryTrace(Interceptor):
    """Give it to every client: runs know the request that started, signalled or updated them."""

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        return _Carrying(next)


class _Carrying(OutboundInterceptor):
    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:
        input.headers = _with_trace(input.headers)
        return await super().start_workflow(input)

    async def signal_workflow(self, input: SignalWorkflowInput) -> None:
        input.headers = _with_trace(input.headers)
        await super().signal_workflow(input)

    async def start_workflow_update(
        self, input: StartWorkflowUpdateInput
    ) -> WorkflowUpdateHandle[Any]:
        input.headers = _with_trace(input.headers)
        return await super().start_workflow_update(input)

    async def start_update_with_start_workflow(
        self, input: StartWorkflowUpdateWithStartInput
    ) -> WorkflowUpdateHandle[Any]:
        for each in (input.start_workflow_input, input.update_workflow_input):
            each.headers = _with_trace(each.headers)
        return await super().start_update_with_start_workflow(input)
