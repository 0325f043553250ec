"""Runs that tell what their activities know of the request behind them."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow

SECONDS = timedelta(seconds=20)
Bound = dict[str, str]


@workflow.defn
class Child:
    @workflow.run
    async def run(self) -> Bound:
        return await what_is_bound()


@workflow.defn
class Parent:
    @workflow.run
    async def run(self, is_anew: bool) -> list[Bound]:
        if not is_anew:
            workflow.continue_as_new(True)
        return [await what_is_bound(), await workflow.execute_child_workflow(Child.run)]


@workflow.defn
class Asked:
    """Begun by the question that it answers."""

    def __init__(self) -> None:
        self._found: Bound | None = None

    @workflow.run
    async def run(self) -> None:
        self._found = await what_is_bound()

    @workflow.update
    async def answer(self) -> Bound:
        await workflow.wait_condition(lambda: self._found is not None)
        assert self._found is not None
        return self._found


async def what_is_bound() -> Bound:
    bound: Bound = await workflow.execute_activity(
        "what_is_bound", start_to_close_timeout=SECONDS, result_type=dict[str, str]
    )
    return bound
