"""A small Temporal in one process: the SDK's own workflow machinery under a virtual clock.

Workflow classes run unchanged in the instances that the SDK's worker would make for them. The
server around them is ours: it is asked through the SDK's client, obeys the commands that
workflows give, calls activities in process, and does one thing at a time, so that whoever
chooses what happens next has decided the whole history.
"""

from __future__ import annotations

from simulation.temporal.activities import WorkerKilled
from simulation.temporal.clock import VirtualClock
from simulation.temporal.runs import NotReplayable, Run, TaskFailed
from simulation.temporal.server import SimulatedTemporal, Stuck
from simulation.temporal.service import Lost
from simulation.temporal.work import Death, Work

__all__ = [
    "Death",
    "Lost",
    "NotReplayable",
    "Run",
    "SimulatedTemporal",
    "Stuck",
    "TaskFailed",
    "VirtualClock",
    "Work",
    "WorkerKilled",
]
