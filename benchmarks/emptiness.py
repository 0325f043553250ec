"""Runs that do nothing but one step, and the step that does nothing."""

from __future__ import annotations

from datetime import timedelta

from temporalio import activity, workflow

WORKFLOWS, ACTIVITIES = "empty-workflows", "empty-activities"


@activity.defn
async def do_nothing() -> str:
    return "done"


@workflow.defn
class EmptyRun:
    def __init__(self) -> None:
        self._said: str | None = None

    @workflow.run
    async def run(self) -> str:
        self._said = await workflow.execute_activity(
            do_nothing, task_queue=ACTIVITIES, start_to_close_timeout=timedelta(seconds=10)
        )
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self._said

    @workflow.update
    async def outcome(self) -> str:
        await workflow.wait_condition(lambda: self._said is not None)
        return self._said or ""


@workflow.defn
class WaitingRun:
    """After its step it waits for a month, as the run of a subscription does."""

    def __init__(self) -> None:
        self._waits = False

    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(
            do_nothing, task_queue=ACTIVITIES, start_to_close_timeout=timedelta(seconds=10)
        )
        self._waits = True
        await workflow.sleep(timedelta(days=30))

    @workflow.update
    async def begun(self) -> None:
        await workflow.wait_condition(lambda: self._waits)
