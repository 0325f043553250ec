"""Every recorded history replays on today's code: an edit that breaks running jobs shows here."""

from __future__ import annotations

from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from tests.workflows.media.record import HISTORIES, branches
from workflows.media.messages import IngestInput, IngestResult, MediaRef
from workflows.runner import WORKFLOWS, workflow_runner


def recorded(name: str) -> WorkflowHistory:
    return WorkflowHistory.from_json(name, (HISTORIES / f"{name}.json").read_text())


def test_every_branch_has_a_history() -> None:
    assert {branch.name for branch in branches()} <= {path.stem for path in HISTORIES.iterdir()}


@pytest.mark.parametrize("path", sorted(HISTORIES.glob("*.json")), ids=lambda path: path.stem)
async def test_history_replays(path: Path) -> None:
    replayer = Replayer(
        workflows=list(WORKFLOWS),
        workflow_runner=workflow_runner(),
        data_converter=pydantic_data_converter,
    )
    await replayer.replay_workflow(recorded(path.stem))


@workflow.defn(name="IngestMedia", sandboxed=False)
class IngestInAnotherOrder:
    """What a careless edit would do: publish before anything was inspected."""

    @workflow.run
    async def run(self, job: IngestInput) -> IngestResult:
        from workflows.media import steps
        from workflows.policies import READ_ONCE

        await workflow.execute_activity(
            steps.discard_generation,
            MediaRef(job.media_id),
            start_to_close_timeout=READ_ONCE.start_to_close,
        )
        return IngestResult(state="ready")


async def test_a_changed_order_is_found() -> None:
    replayer = Replayer(workflows=[IngestInAnotherOrder], data_converter=pydantic_data_converter)
    with pytest.raises(NondeterminismError):
        await replayer.replay_workflow(recorded("picture"))
