"""A run that fails in the way it is told to."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy


@workflow.defn
class Failing:
    @workflow.run
    async def run(self, kind: str) -> None:
        if kind == "workflow":
            raise LookupError("planted-message")
        await workflow.execute_activity(
            "fail_as",
            kind,
            start_to_close_timeout=timedelta(seconds=10),
            retry_policy=RetryPolicy(maximum_attempts=3),
        )
