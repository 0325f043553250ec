"""When an activity is tried again. Sources: "Retry Policies" in Temporal's documentation, and
what its server does in `tests/workflows/simulation/test_faithful.py`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from temporalio.api.enums.v1 import RetryState
from temporalio.api.failure.v1 import Failure
from temporalio.bridge.proto.workflow_commands import ScheduleActivity
from temporalio.common import RetryPolicy

from simulation.temporal.activities import ActivityTask, next_try
from simulation.temporal.runs import Run

NOW = datetime(2030, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
POLICY = RetryPolicy(initial_interval=SECOND, maximum_interval=10 * SECOND)


def task(policy: RetryPolicy | None, **facts: Any) -> ActivityTask:
    order = ScheduleActivity(activity_type="charge")
    if policy is not None:
        policy.apply_to_proto(order.retry_policy)
    if whole := facts.pop("schedule_to_close", None):
        order.schedule_to_close_timeout.FromTimedelta(whole)
    return ActivityTask(cast(Run, None), order, scheduled_at=NOW, **facts)


def failure(kind: str = "Oops", **facts: Any) -> Failure:
    made = Failure()
    made.application_failure_info.type = kind
    made.application_failure_info.non_retryable = facts.get("non_retryable", False)
    if "delay" in facts:
        made.application_failure_info.next_retry_delay.FromTimedelta(facts["delay"])
    return made


@pytest.mark.parametrize(
    ("policy", "attempt", "seconds"),
    [
        (POLICY, 1, 1),
        (POLICY, 2, 2),
        (POLICY, 4, 8),
        (POLICY, 5, 10),
        (POLICY, 5000, 10),
        (None, 1, 1),
        (None, 20, 100),
        (RetryPolicy(initial_interval=2 * SECOND, backoff_coefficient=1.0), 9, 2),
    ],
)
def test_pauses_grow_up_to_a_limit(policy: RetryPolicy, attempt: int, seconds: int) -> None:
    delay, state = next_try(task(policy, attempt=attempt), failure(), NOW)
    assert (delay, state) == (seconds * SECOND, RetryState.RETRY_STATE_IN_PROGRESS)


@pytest.mark.parametrize(
    ("tried", "failed", "state"),
    [
        (
            task(RetryPolicy(maximum_attempts=3), attempt=3),
            failure(),
            RetryState.RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED,
        ),
        (task(POLICY), failure(non_retryable=True), RetryState.RETRY_STATE_NON_RETRYABLE_FAILURE),
        (
            task(RetryPolicy(non_retryable_error_types=["Refused"])),
            failure("Refused"),
            RetryState.RETRY_STATE_NON_RETRYABLE_FAILURE,
        ),
        (
            task(POLICY, schedule_to_close=5 * SECOND, attempt=4),
            failure(),
            RetryState.RETRY_STATE_TIMEOUT,
        ),
        (
            task(POLICY, cancel_requested=True),
            failure(),
            RetryState.RETRY_STATE_CANCEL_REQUESTED,
        ),
    ],
)
def test_it_ends(tried: ActivityTask, failed: Failure, state: int) -> None:
    assert next_try(tried, failed, NOW) == (None, state)


def test_a_failure_may_say_how_long_to_wait() -> None:
    delay, _ = next_try(task(POLICY, attempt=5), failure(delay=77 * SECOND), NOW)
    assert delay == 77 * SECOND
