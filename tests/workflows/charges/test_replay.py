"""Every recorded history replays on today's code: an edit that breaks sleeping runs shows here."""

from __future__ import annotations

from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer

from tests.workflows.charges.record import BRANCHES, HISTORIES
from workflows.runner import WORKFLOWS, workflow_runner


def recorded(path: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json(path.stem, path.read_text())


def test_every_branch_has_a_history() -> None:
    assert set(BRANCHES) <= {path.stem for path in HISTORIES.iterdir()}


@pytest.mark.parametrize("path", sorted(HISTORIES.glob("*.json")), ids=lambda path: path.stem)
async def test_history_replays(path: Path) -> None:
    replayer = Replayer(
        workflows=list(WORKFLOWS),
        workflow_runner=workflow_runner(),
        data_converter=pydantic_data_converter,
    )
    await replayer.replay_workflow(recorded(path))
