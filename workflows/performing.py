"""Calling an activity with the policy of its step on the queue of its kind of worker."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import ActivityError, TimeoutError, TimeoutType
from temporalio.workflow import ActivityCancellationType

with workflow.unsafe.imports_passed_through():
    from domain.operators import OperatorText
    from workflows.policies import StepPolicy
    from workflows.queues import Queue, sibling_queue

A = TypeVar("A")
R = TypeVar("R")


def was_late(error: ActivityError) -> bool:
    """Whether the order waited for a worker for as long as it may."""
    cause = error.cause
    return isinstance(cause, TimeoutError) and cause.type is TimeoutType.SCHEDULE_TO_CLOSE


async def perform(
    activity: Callable[[A], R],
    order: A,
    *,
    queue: Queue,
    policy: StepPolicy,
    summary: str | None = None,
    priority: Priority = Priority.default,
    cancellation: ActivityCancellationType = ActivityCancellationType.TRY_CANCEL,
) -> R:
    """Run one activity of a declared step, and await what it returns.

    Args:
        summary: what an operator reads of it in the UI; names no person.

    Raises:
        ActivityError: its budget is spent, or it failed in a way that is not retried.
    """
    return await workflow.execute_activity(
        activity,
        order,
        task_queue=sibling_queue(queue, own=workflow.info().task_queue),
        schedule_to_close_timeout=policy.schedule_to_close,
        start_to_close_timeout=policy.start_to_close,
        heartbeat_timeout=policy.heartbeat,
        retry_policy=policy.retry,
        cancellation_type=cancellation,
        priority=priority,
        summary=OperatorText(summary) if summary is not None else None,
    )
