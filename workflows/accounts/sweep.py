"""SweepAccounts: unsent mails, unverified accounts, and everything that has expired."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.operators import OperatorText
    from workflows import policies
    from workflows.accounts import steps
    from workflows.accounts.messages import AccountsSwept
    from workflows.queues import Queue, sibling_queue
    from workflows.versions import SHORT_LIVED


@workflow.defn(versioning_behavior=SHORT_LIVED)
class SweepAccounts:
    """Started by a Temporal Schedule; overlapping ticks are dropped."""

    @workflow.run
    async def run(self) -> AccountsSwept:
        return await workflow.execute_activity(
            steps.sweep_accounts,
            task_queue=sibling_queue(Queue.IO, own=workflow.info().task_queue),
            start_to_close_timeout=policies.ERASE.start_to_close,
            retry_policy=policies.SWEEP_RETRY,
            summary=OperatorText("Starting unsent mails, removing what has expired"),
        )
