"""Our metrics, and how code records them. Until a process says where to, nothing is recorded.

Imports nothing: the process that decoders are forked from has it too, and has to stay small.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import perf_counter

Labels = Mapping[str, str]
Record = Callable[[float, Labels], None]


class Measure:
    """One metric. Its name ends with its unit, as Prometheus wants it."""

    def __init__(self, name: str, what: str, labels: Sequence[str] = ()) -> None:
        self.name, self.what, self.labels = name, what, tuple(labels)
        self._records: tuple[Record, ...] = ()

    def go_to(self, record: Record) -> None:
        """From now on also there; the same place twice is once."""
        if record not in self._records:
            self._records += (record,)

    def tell(self, value: float, labels: Labels) -> None:
        for record in self._records:
            record(value, labels)


class Timing(Measure):
    """A histogram of seconds."""

    def __init__(
        self, name: str, what: str, labels: Sequence[str], *, buckets: Sequence[float]
    ) -> None:
        super().__init__(name, what, labels)
        self.buckets = tuple(buckets)

    def observe(self, seconds: float, **labels: str) -> None:
        self.tell(seconds, labels)

    @contextmanager
    def timed(self, **labels: str) -> Iterator[None]:
        """Measures the block, however it is left."""
        begun = perf_counter()
        try:
            yield
        finally:
            self.tell(perf_counter() - begun, labels)


class Count(Measure):
    """Only grows."""

    def add(self, **labels: str) -> None:
        self.tell(1, labels)


class Level(Measure):
    """How much it is now, in this process."""

    def set(self, value: float) -> None:
        self.tell(value, {})


_STEP_BUCKETS = (0.01, 0.05, 0.25, 1, 5, 15, 60, 300, 1800, 7200)
_WAIT_BUCKETS = (0.0005, 0.002, 0.01, 0.05, 0.25, 1, 5, 30)

step_seconds = Timing(
    "fansworld_step_seconds",
    "One attempt of a step, by how it ended: done, refused, blocked, failed or cancelled.",
    ("step", "workflow", "queue", "outcome"),
    buckets=_STEP_BUCKETS,
)
step_failures = Count(
    "fansworld_step_failures_total",
    "Attempts that were blocked or failed, by the reason that the runbook knows them by.",
    ("step", "workflow", "reason"),
)
progress_lost = Count(
    "fansworld_progress_events_lost_total",
    "Progress events that could not be written because Valkey did not answer.",
)
child_seconds = Timing(
    "fansworld_child_seconds",
    "How long a confined child process lived.",
    ("program", "outcome"),
    buckets=_STEP_BUCKETS,
)
child_cpu_seconds = Timing(
    "fansworld_child_cpu_seconds",
    "Processor time of a confined child process, all its threads together.",
    ("program",),
    buckets=_STEP_BUCKETS,
)
database_wait_seconds = Timing(
    "fansworld_database_wait_seconds",
    "How long it took to get a connection of the pool.",
    ("pool",),
    buckets=_WAIT_BUCKETS,
)
scratch_free_bytes = Level(
    "fansworld_scratch_free_bytes", "Free disk below SCRATCH_DIR when it was last looked at."
)

MEASURES: tuple[Measure, ...] = (
    *(step_seconds, step_failures),
    *(child_seconds, child_cpu_seconds),
    *(database_wait_seconds, scratch_free_bytes),
    progress_lost,
)
