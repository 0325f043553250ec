"""One line in the log for every step that ends, and one for every step that fails; and numbers.

Whoever is woken at night reads these first: which run, which step, which attempt, how long,
why not, and for which request of whom. Ids only, no payloads.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog
from temporalio import activity
from temporalio.api.common.v1 import Payload
from temporalio.exceptions import ApplicationError, is_cancelled_exception
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from activities.errors import without_values
from infra.metrics.measures import step_failures, step_seconds
from infra.reporting import report
from infra.spans import RunEnd, run_ended, step_span
from infra.telemetry import bound
from infra.tracing import trace_from, traced
from workflows.policies import BLOCKED, REJECTED
from workflows.tracing import RUN_BROKE, RUN_ENDED, HandOnTrace

log = structlog.get_logger("activity")


class Journal(Interceptor):
    """Give it to every Worker."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Journalled(next)

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor]:
        input.unsafe_extern_functions[RUN_ENDED] = _tell_run_end
        input.unsafe_extern_functions[RUN_BROKE] = _tell_run_broke
        return HandOnTrace


def _tell_run_end(headers: Mapping[str, Payload], *, begun_at: datetime, **said: Any) -> None:
    """Called by a workflow, outside of its sandbox."""
    trace = trace_from(headers)
    run_ended(
        RunEnd(begun_ns=int(begun_at.timestamp() * 1e9), **said),
        trace.traceparent if trace else None,
    )


def _tell_run_broke(
    headers: Mapping[str, Payload], error: Exception, *, workflow: str, **ids: str
) -> None:
    """As `_tell_run_end`, of a fault in the code of a workflow."""
    with traced(trace_from(headers)), bound(**ids):
        report(error, where=workflow)


class _Journalled(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info = activity.info()
        started = time.monotonic()
        trace = trace_from(input.headers)
        with (
            traced(trace),
            bound(workflow_id=info.workflow_id, run_id=info.workflow_run_id),
            step_span(
                info.activity_type,
                workflow_id=str(info.workflow_id),
                run_id=str(info.workflow_run_id),
                attempt=info.attempt,
                traceparent=trace.traceparent if trace else None,
            ),
        ):
            facts: dict[str, Any] = {"step": info.activity_type, "attempt": info.attempt}
            try:
                result = await super().execute_activity(input)
            except BaseException as error:
                seconds = time.monotonic() - started
                _measure(info, seconds, _outcome(error))
                if (reason := _reason(error)) is not None:
                    step_failures.add(
                        step=info.activity_type, workflow=str(info.workflow_type), reason=reason
                    )
                facts["seconds"] = round(seconds, 3)
                plain = without_values(error)
                _tell_failure(error, plain, facts, of=(info.workflow_run_id, info.activity_id))
                if plain is not error:
                    raise plain from None
                raise
            seconds = time.monotonic() - started
            _measure(info, seconds, "done")
            log.info("step done", seconds=round(seconds, 3), **facts)
            return result


def _measure(info: activity.Info, seconds: float, outcome: str) -> None:
    step_seconds.observe(
        seconds,
        step=info.activity_type,
        workflow=str(info.workflow_type),
        queue=info.task_queue,
        outcome=outcome,
    )


def _outcome(error: BaseException) -> str:
    if isinstance(error, ApplicationError) and error.type in _OUTCOMES:
        return _OUTCOMES[error.type]
    return "cancelled" if is_cancelled_exception(error) else "failed"


_OUTCOMES = {REJECTED: "refused", BLOCKED: "blocked"}


def _reason(error: BaseException) -> str | None:
    """As `workflows.attention.reason_of`; None where nothing is wrong with the platform.

    Codes and names of errors, of which there are so many as the code has, never words.
    """
    if _outcome(error) in ("refused", "cancelled"):
        return None
    if not isinstance(error, ApplicationError):
        return type(error).__name__
    return str(error.details[0]) if error.details else error.type or "unknown"


_reported: deque[tuple[object, ...]] = deque(maxlen=1000)
"""Which errors of which steps were told; a step that is tried for ever says the same each time."""


def _tell_failure(
    error: BaseException, plain: BaseException, facts: dict[str, Any], *, of: tuple[object, ...]
) -> None:
    """A refused file is the system working; a cancelled step was asked for; the rest is news.

    Args:
        plain: the error as it may be read by anybody who looks after runs.
        of: the run and the step in it.
    """
    if isinstance(error, ApplicationError) and error.type == REJECTED:
        log.info("step refused the file", reason=error.message, **facts)
    elif is_cancelled_exception(error):
        log.info("step cancelled", **facts)
    elif isinstance(error, ApplicationError):
        log.warning("step failed", kind=error.type, why=error.message, **facts)
    else:
        # The stack of what quotes rows would quote them again.
        stack = {"exc_info": error} if plain is error else {}
        log.error("step failed", kind=type(error).__name__, why=str(plain), **stack, **facts)
        if (news := (*of, type(error))) not in _reported:
            _reported.append(news)
            report(error, where=facts["step"])
