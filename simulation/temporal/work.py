"""A piece of work for a worker, and how the worker may die at it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from simulation.temporal.activities import ActivityTask
from simulation.temporal.runs import Run


class Death(Enum):
    """When the worker that took a piece of work dies."""

    BEFORE = "before"
    """It took the work and began nothing."""
    AFTER = "after"
    """All is done, and the server does not hear of it."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a worker could do now: a turn of a run, or an activity."""

    run: Run
    task: ActivityTask | None = None

    @property
    def label(self) -> str:
        return self.task.label if self.task is not None else f"turn of {self.run.workflow_id}"

    @property
    def subject(self) -> Run | ActivityTask:
        return self.task if self.task is not None else self.run


class ReadyWork:
    """What can be done now, in the order in which it became possible."""

    def __init__(self) -> None:
        # By insertion, not by hash: the order is part of the history.
        self._works: dict[Run | ActivityTask, Work] = {}

    def __iter__(self) -> Iterator[Work]:
        return iter(list(self._works.values()))

    def __contains__(self, work: Work) -> bool:
        return self._works.get(work.subject) is work

    def add(self, work: Work) -> None:
        """Of one subject there is one piece of work at a time."""
        self._works.setdefault(work.subject, work)

    def drop(self, subject: Run | ActivityTask) -> None:
        self._works.pop(subject, None)
