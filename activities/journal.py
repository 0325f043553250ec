"""One line in the log for every step that ends, and one for every step that fails.

Whoever is woken at night reads these first: which run, which step, which attempt, how long,
why not, and for which request of whom. Ids only, no payloads.
"""

from __future__ import annotations

import time
from typing import Any

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError, is_cancelled_exception
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from infra.telemetry import bound
from infra.tracing import trace_from, traced
from workflows.policies import REJECTED
from workflows.tracing import HandOnTrace

log = structlog.get_logger("activity")


class Journal(Interceptor):
    """Give it to every Worker."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Journalled(next)

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor]:
        del input
        return HandOnTrace


class _Journalled(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info = activity.info()
        started = time.monotonic()
        with (
            traced(trace_from(input.headers)),
            bound(workflow_id=info.workflow_id, run_id=info.workflow_run_id),
        ):
            facts: dict[str, Any] = {"step": info.activity_type, "attempt": info.attempt}
            try:
                result = await super().execute_activity(input)
            except BaseException as error:
                facts["seconds"] = round(time.monotonic() - started, 3)
                _tell_failure(error, facts)
                raise
            log.info("step done", seconds=round(time.monotonic() - started, 3), **facts)
            return result


def _tell_failure(error: BaseException, facts: dict[str, Any]) -> None:
    """A refused file is the system working; a cancelled step was asked for; the rest is news."""
    if isinstance(error, ApplicationError) and error.type == REJECTED:
        log.info("step refused the file", reason=error.message, **facts)
    elif is_cancelled_exception(error):
        log.info("step cancelled", **facts)
    elif isinstance(error, ApplicationError):
        log.warning("step failed", kind=error.type, why=error.message, **facts)
    else:
        log.error("step failed", kind=type(error).__name__, why=str(error), exc_info=error, **facts)
