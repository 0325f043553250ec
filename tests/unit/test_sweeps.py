"""Sweeps are started by a schedule, by name."""

from __future__ import annotations

from workflows.runner import SWEEPS, WORKFLOWS


def test_every_sweep_is_a_workflow_and_every_such_workflow_is_scheduled() -> None:
    named = {each.__name__ for each in WORKFLOWS if each.__name__.startswith("Sweep")}
    assert {sweep.workflow for sweep in SWEEPS} == named | {"Reconcile"}


def test_no_two_sweeps_share_an_id() -> None:
    assert len({sweep.kind for sweep in SWEEPS}) == len(SWEEPS)
