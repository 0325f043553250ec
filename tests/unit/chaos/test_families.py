from __future__ import annotations

from chaos.families import FAMILIES, NOT_EXERCISED
from workflows.runner import WORKFLOWS


def test_every_workflow_is_put_in_flight_or_named_with_a_reason() -> None:
    exercised = {name for family in FAMILIES.values() for name in family.workflows}
    assert exercised | NOT_EXERCISED.keys() == {workflow.__name__ for workflow in WORKFLOWS}
    assert not exercised & NOT_EXERCISED.keys()
    assert all(NOT_EXERCISED.values())
