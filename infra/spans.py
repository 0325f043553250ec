"""OpenTelemetry spans on the ids that requests and runs carry anyway (`infra/tracing.py`).

    request ── run ── step ── child process

What is carried is one `traceparent` from the request on; nothing is added to runs. The span of
a run has an id that is made from the run's own, so whoever does something for the run knows its
parent without being told, and a run that is replayed makes the same one. It is written when the
run ends; steps are written as they end, and wait for their parent at the collector.

Until `start_tracing` is called, and where no endpoint is set, each function here returns at once.
Spans hold ids, names of steps and programs, and numbers: no names of people or files, no queries,
no messages of errors.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, TraceIdRatioBased
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    Tracer,
)

from domain.tracing import parse_traceparent
from infra.sandbox.telling import LISTENERS, ChildRun
from infra.settings import Settings

_given_span_id: ContextVar[int | None] = ContextVar("given_span_id", default=None)
_given_trace_id: ContextVar[int | None] = ContextVar("given_trace_id", default=None)


class _Ids(RandomIdGenerator):
    """Random ids, but for the span of a run."""

    def generate_span_id(self) -> int:
        return _given_span_id.get() or super().generate_span_id()

    def generate_trace_id(self) -> int:
        return _given_trace_id.get() or super().generate_trace_id()


@dataclass(frozen=True)
class _Tracing:
    provider: TracerProvider
    tracer: Tracer
    ratio: TraceIdRatioBased


_tracing: _Tracing | None = None


def start_tracing(settings: Settings, *, service: str) -> Callable[[], None]:
    """Send spans to `OTEL_EXPORTER_OTLP_ENDPOINT` from now on, a `TRACE_SAMPLE_RATIO` of traces.

    Returns:
        What ends it: sends what is left, within seconds. Safe to call where nothing was begun.
    """
    global _tracing
    endpoint = settings.otel_exporter_otlp_endpoint
    if endpoint is None:
        return lambda: None
    ratio = TraceIdRatioBased(settings.trace_sample_ratio)
    resource = Resource.create(
        {"service.name": service, "deployment.environment.name": settings.environment}
    )
    provider = TracerProvider(
        sampler=ParentBased(ratio), resource=resource, id_generator=_Ids(), shutdown_on_exit=False
    )
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=5)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    _tracing = _Tracing(provider, provider.get_tracer("fansworld"), ratio)
    LISTENERS.append(_child_ended)
    return _stop


def _stop() -> None:
    global _tracing
    if _tracing is not None:
        LISTENERS.remove(_child_ended)
        _tracing.provider.shutdown()
        _tracing = None


def current_traceparent() -> str | None:
    """Of the span that is under way here; None where there is none."""
    if _tracing is None:
        return None
    context = trace.get_current_span().get_span_context()
    return _traceparent(context) if context.is_valid else None


def current_ids() -> dict[str, str]:
    """`trace_id` and `span_id` for log lines; empty where no span is under way."""
    if _tracing is None:
        return {}
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}


# --- requests ----------------------------------------------------------------------------


@contextmanager
def request_span(method: str, request_id: str, given: str | None) -> Iterator[Span | None]:
    """The span of a request, in the client's trace if it named one. Its route comes later, by
    `name_request`; None while nothing is traced."""
    if _tracing is None:
        yield None
        return
    span = _tracing.tracer.start_span(
        method,
        context=_remote(given),
        kind=SpanKind.SERVER,
        attributes={"http.request.method": method, "fansworld.request_id": request_id},
    )
    with trace.use_span(span, end_on_exit=True, record_exception=False):
        yield span


def name_request(span: Span, *, method: str, route: str, status: int) -> None:
    span.update_name(f"{method} {route}")
    span.set_attributes({"http.route": route, "http.response.status_code": status})
    if status >= 500:
        span.set_status(StatusCode.ERROR)


# --- runs and steps ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RunEnd:
    """What a run says of itself when it ends."""

    workflow: str
    workflow_id: str
    run_id: str
    parent_run_id: str | None
    begun_ns: int
    """Unix time."""
    outcome: str


def run_ended(end: RunEnd, traceparent: str | None) -> None:
    """Write the span of a run. Twice is once: it has the same id."""
    if _tracing is None:
        return
    parent = _run_parent(end.parent_run_id, traceparent)
    span_token = _given_span_id.set(_span_id_of(end.run_id))
    trace_token = _given_trace_id.set(_trace_id_of(end.run_id))
    try:
        span = _tracing.tracer.start_span(
            end.workflow,
            context=parent,
            start_time=end.begun_ns,
            attributes={
                "temporal.workflow_id": end.workflow_id,
                "temporal.run_id": end.run_id,
                "fansworld.outcome": end.outcome,
            },
        )
    finally:
        _given_trace_id.reset(trace_token)
        _given_span_id.reset(span_token)
    if end.outcome == "failed":
        span.set_status(StatusCode.ERROR)
    span.end()


@contextmanager
def step_span(
    step: str, *, workflow_id: str, run_id: str, attempt: int, traceparent: str | None
) -> Iterator[None]:
    """One attempt of a step, below its run."""
    if _tracing is None:
        yield
        return
    span = _tracing.tracer.start_span(
        step,
        context=_in_run(run_id, traceparent, _tracing.ratio),
        attributes={
            "temporal.workflow_id": workflow_id,
            "temporal.run_id": run_id,
            "temporal.attempt": attempt,
        },
    )
    with trace.use_span(
        span, end_on_exit=True, record_exception=False, set_status_on_exception=False
    ):
        try:
            yield
        except BaseException as error:
            # Its name only: messages may say more.
            span.set_status(StatusCode.ERROR, type(error).__name__)
            raise


def _run_parent(parent_run_id: str | None, traceparent: str | None) -> Context:
    """A child's parent is the run that began it, else the request; else it is a root."""
    found = None if traceparent is None else parse_traceparent(traceparent)
    if found is None:
        return Context()
    trace_id, span_id, flags = found
    own = int(span_id, 16) if parent_run_id is None else _span_id_of(parent_run_id)
    return _context(int(trace_id, 16), own, flags)


def _in_run(run_id: str, traceparent: str | None, ratio: TraceIdRatioBased) -> Context:
    found = None if traceparent is None else parse_traceparent(traceparent)
    if found is None:
        # Nobody's request: all processes come to the same answer whether it is sampled.
        trace_id = _trace_id_of(run_id)
        decision = ratio.should_sample(None, trace_id, "").decision
        flags = int(decision is Decision.RECORD_AND_SAMPLE)
        return _context(trace_id, _span_id_of(run_id), flags)
    return _context(int(found[0], 16), _span_id_of(run_id), found[2])


def _span_id_of(run_id: str) -> int:
    return int.from_bytes(hashlib.sha256(f"span:{run_id}".encode()).digest()[:8])


def _trace_id_of(run_id: str) -> int:
    return int.from_bytes(hashlib.sha256(f"trace:{run_id}".encode()).digest()[:16])


# --- children ----------------------------------------------------------------------------


def _child_ended(run: ChildRun) -> None:
    """Below the step that wanted it; a child that no step wanted (at start-up) has no span."""
    if _tracing is None or not trace.get_current_span().get_span_context().is_valid:
        return
    span = _tracing.tracer.start_span(
        run.program,
        start_time=run.begun_ns,
        attributes={"process.executable.name": run.program, "fansworld.outcome": run.outcome},
    )
    if run.exit_code is not None:
        span.set_attribute("process.exit.code", run.exit_code)
    if run.usage is not None:
        span.set_attribute("process.cpu.seconds", run.usage.cpu_seconds)
        span.set_attribute("process.memory.peak_bytes", run.usage.memory_peak_bytes)
    if run.outcome != "ended" or run.exit_code:
        span.set_status(StatusCode.ERROR, run.outcome)
    span.end(end_time=max(run.begun_ns, time.time_ns()))


# --- W3C ---------------------------------------------------------------------------------


def _remote(traceparent: str | None) -> Context:
    found = None if traceparent is None else parse_traceparent(traceparent)
    if found is None:
        return Context()
    trace_id, span_id, flags = found
    return _context(int(trace_id, 16), int(span_id, 16), flags)


def _context(trace_id: int, span_id: int, flags: int) -> Context:
    context = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags))
    return trace.set_span_in_context(NonRecordingSpan(context), Context())


def _traceparent(context: SpanContext) -> str:
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
