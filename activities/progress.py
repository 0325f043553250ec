"""How a running step tells that it lives and how far it is.

Three listeners: Temporal (heartbeat: liveness, and what a retry resumes from), Valkey (live
progress for those who watch), Postgres (coarse progress, so that the API answers without
Valkey and without workers).
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from temporalio import activity

from activities.parts import WorkerParts
from domain.media.states import IngestStep, MediaState
from infra.db import transaction
from infra.queries import ingest
from infra.redis import ProgressEvent, publish_progress

HEARTBEAT_SECONDS = 1.0
COARSE_STEP_PERCENT = 10
"""How far progress moves between two writes to Postgres."""

SPANS: dict[IngestStep, tuple[int, int]] = {
    IngestStep.INSPECT: (0, 15),
    IngestStep.PROBE: (15, 18),
    IngestStep.RENDER: (15, 90),
    IngestStep.TRANSCODE: (18, 90),
    IngestStep.MODERATE: (90, 95),
    IngestStep.FINISH: (90, 95),
    IngestStep.PUBLISH: (95, 100),
}
"""Where each step lies in the whole, in percent. Sound is encoded beside the picture and
moves nothing of its own, unless it is all there is."""


def overall_percent(step: IngestStep, done: float) -> int:
    """Percent of the whole when `done` (0–1) of `step` is over."""
    first, last = SPANS.get(step, (18, 90))
    return first + round((last - first) * min(max(done, 0.0), 1.0))


@dataclass
class Reporter:
    """Progress of one activity run. Call `at(done)` as often as you like; it is throttled."""

    parts: WorkerParts
    media_id: str
    generation: int
    step: IngestStep
    note: str | None = None
    silent: bool = False
    """Heartbeat only: another activity tells the percentage."""
    share: Callable[[float], float] = field(default=lambda done: done)
    """Turns this run's progress into the step's, where several runs share a step."""
    _last_beat: float = 0.0
    _last_percent: int = -1
    _last_coarse: int = -COARSE_STEP_PERCENT

    def at(self, done: float, *, resume_from: Any = None) -> None:
        """Tell that `done` (0–1) of this run is over; `resume_from` goes to the next attempt.

        A new `resume_from` is told at once, progress alone at most once a second.
        """
        now = time.monotonic()
        if resume_from is None and now - self._last_beat < HEARTBEAT_SECONDS:
            return
        self._last_beat = now
        if resume_from is not None:
            self._resume = resume_from
        activity.heartbeat(*([self._resume] if self._resume is not None else []))
        percent = overall_percent(self.step, self.share(done))
        if self.silent or percent <= self._last_percent:
            return
        self._last_percent = percent
        announce(
            self.parts,
            media_id=self.media_id,
            generation=self.generation,
            step=self.step.value,
            percent=percent,
            note=self.note,
        )
        if percent - self._last_coarse >= COARSE_STEP_PERCENT:
            self._last_coarse = percent
            self._write(percent)

    _resume: Any = None

    def alive(self) -> None:
        """A sign of life without news, while bytes come in or a lock is waited for."""
        now = time.monotonic()
        if now - self._last_beat >= HEARTBEAT_SECONDS:
            self._last_beat = now
            activity.heartbeat(*([self._resume] if self._resume is not None else []))

    @contextmanager
    def kept_alive(self) -> Iterator[None]:
        """Signs of life while something goes on that tells no progress. Only where a wall-clock
        limit ends what is stuck: a child's own, or the step's."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(HEARTBEAT_SECONDS):
                self.alive()

        # The thread needs the activity's context to heartbeat for it.
        thread = threading.Thread(target=contextvars.copy_context().run, args=(beat,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _write(self, percent: int) -> None:
        with transaction(self.parts.engine) as session:
            ingest.write_progress(
                session,
                media_id=self.media_id,
                generation=self.generation,
                step=self.step.value,
                percent=percent,
                note=self.note,
            )


def announce(
    parts: WorkerParts,
    *,
    media_id: str,
    generation: int,
    step: str | None,
    percent: int,
    note: str | None = None,
    state: MediaState = MediaState.PROCESSING,
) -> None:
    """Tell those who watch. Never fails the step: Valkey only carries what Postgres holds."""
    publish_progress(
        parts.valkey,
        ProgressEvent(
            media_id=media_id,
            generation=generation,
            step=step,
            percent=percent,
            note=note,
            state=state.value,
            at=datetime.now(UTC),
        ),
    )
