from __future__ import annotations

import inspect

import pytest

from workflows.operated import Operated
from workflows.runner import WORKFLOWS

OPERATED = [workflow for workflow in WORKFLOWS if issubclass(workflow, Operated)]


@pytest.mark.parametrize("workflow", OPERATED, ids=lambda workflow: workflow.__name__)
def test_no_run_ends_before_what_an_operator_decided_is_written_down(workflow: type) -> None:
    """The step may be done before the audit log has it; a run that is over writes nothing."""
    sources = [inspect.getsource(each) for each in workflow.__mro__[:-1]]
    assert any("workflow.all_handlers_finished" in source for source in sources)
