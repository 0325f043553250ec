"""Timeouts and retry budgets, named and in one place.

A budget that is spent does not end the run: the step waits for an operator
(`workflows/attention.py`). Typed permanent failures are never retried.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from temporalio.common import RetryPolicy

REJECTED = "MediaRejected"
"""Type of the failure that ends ingest in state `rejected`; details: code, detail."""
BLOCKED = "StepBlocked"
"""Type of the failure that goes to an operator at once."""


@dataclass(frozen=True)
class StepPolicy:
    """How long a step may take, how often it is tried."""

    start_to_close: timedelta
    heartbeat: timedelta | None
    retry: RetryPolicy
    schedule_to_close: timedelta | None = None
    """From the order until it is done, however often it is tried; None: however long."""


def _retry(attempts_max: int, *, first_seconds: float, most_seconds: float) -> RetryPolicy:
    return RetryPolicy(
        initial_interval=timedelta(seconds=first_seconds),
        backoff_coefficient=2.0,
        maximum_interval=timedelta(seconds=most_seconds),
        maximum_attempts=attempts_max,
        non_retryable_error_types=[REJECTED, BLOCKED],
    )


RECORD = StepPolicy(
    start_to_close=timedelta(seconds=30),
    heartbeat=None,
    retry=_retry(0, first_seconds=0.5, most_seconds=30),
)
"""A short database write: tried for ever, since the run can't say how it stands without it."""

READ_ONCE = StepPolicy(
    start_to_close=timedelta(hours=1),
    heartbeat=timedelta(seconds=30),
    retry=_retry(8, first_seconds=1, most_seconds=60),
)
"""Streams the original once through hash and scanner."""

RENDER = StepPolicy(
    start_to_close=timedelta(minutes=5),
    heartbeat=timedelta(seconds=30),
    retry=_retry(5, first_seconds=1, most_seconds=30),
)

PLAN = StepPolicy(
    start_to_close=timedelta(minutes=30),
    heartbeat=timedelta(seconds=30),
    retry=_retry(5, first_seconds=1, most_seconds=30),
)

ENCODE = StepPolicy(
    start_to_close=timedelta(hours=6),
    heartbeat=timedelta(seconds=15),
    retry=_retry(8, first_seconds=1, most_seconds=30),
)
"""A lost worker is noticed after one heartbeat time-out and uses up one attempt, so the
budget is larger than the faults alone would need."""

PUBLISH = StepPolicy(
    start_to_close=timedelta(minutes=2),
    heartbeat=timedelta(seconds=30),
    retry=_retry(10, first_seconds=0.5, most_seconds=30),
)

ERASE = StepPolicy(
    start_to_close=timedelta(minutes=30),
    heartbeat=timedelta(seconds=60),
    retry=_retry(0, first_seconds=1, most_seconds=300),
)

SEND = StepPolicy(
    start_to_close=timedelta(seconds=30),
    heartbeat=None,
    retry=_retry(20, first_seconds=1, most_seconds=300),
)
"""Well over half an hour: mail servers put strangers off for a quarter of one (greylisting)."""

MONEY = StepPolicy(
    start_to_close=timedelta(minutes=2),
    heartbeat=None,
    retry=_retry(40, first_seconds=0.5, most_seconds=300),
)
"""A call to Stripe and what it does to the ledger. About three hours of trying: an outage there
passes without a person, and the idempotency key of the call lives for a day."""

TEND = replace(MONEY, schedule_to_close=timedelta(hours=5))
"""Longer than all tries of `MONEY`: only an order for which no worker came is late. It says what
time it is, and that would not be so any more."""

COMPARE = StepPolicy(
    start_to_close=timedelta(hours=1),
    heartbeat=None,
    retry=_retry(5, first_seconds=5, most_seconds=300),
)
"""Reads the whole ledger, and pages of Stripe's books."""

SWEEP_RETRY = _retry(3, first_seconds=1, most_seconds=10)
"""The next tick comes anyway."""
