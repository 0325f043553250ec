"""That an operator was needed is counted, whatever else goes wrong while one is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.service import RPCError, RPCStatusCode

from chaos.ends import retry_what_waits


class Run:
    """One that waits; asked for its steps it may not answer, and it may refuse."""

    def __init__(self, run_id: str, *, answers: bool = True, refuses: bool = False) -> None:
        self.id, self._answers, self._refuses = run_id, answers, refuses

    async def query(self, *_: Any, **__: Any) -> list[str]:
        if not self._answers:
            raise RPCError("no worker", RPCStatusCode.DEADLINE_EXCEEDED, b"")
        return ["send"]

    async def execute_update(self, *_: Any, **__: Any) -> None:
        if self._refuses:
            raise WorkflowUpdateFailedError(ValueError("it has ended"))


def server(*runs: Run) -> Any:
    async def listed(*_: Any, **__: Any) -> AsyncIterator[Run]:
        for run in runs:
            yield run

    by_id = {run.id: run for run in runs}
    return SimpleNamespace(list_workflows=listed, get_workflow_handle=by_id.__getitem__)


async def test_a_run_that_does_not_answer_makes_nobody_forget_those_before() -> None:
    asked: list[str] = []
    with pytest.raises(RPCError):
        await retry_what_waits(server(Run("a"), Run("b", answers=False)), "q", asked)
    assert asked == ["a: send"]


async def test_one_that_refuses_had_waited_all_the_same() -> None:
    asked: list[str] = []
    await retry_what_waits(server(Run("a", refuses=True), Run("b")), "q", asked)
    assert asked == ["a: send", "b: send"]
