"""The Celery app: `celery -A benchmarks.celery_peer.served worker`, on the settings of the process.

A task does what a run of `IngestMedia` orders for a picture, by the very same functions, one
after the other in one process. What our runs keep in Temporal, it keeps in its message.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import TypeVar

from celery import Celery
from celery.signals import worker_process_init, worker_process_shutdown
from temporalio.testing import ActivityEnvironment

from activities.media.images import ImageActivities
from activities.media.inspecting import InspectActivities
from activities.media.records import RecordActivities
from activities.parts import WorkerParts, open_worker_parts
from benchmarks.celery_peer.app import STEPS_KEY, TASK, VARIANT_SETTING, make_app
from benchmarks.celery_peer.variants import VARIANTS
from domain.ids import ingest_workflow_id
from infra.settings import load_settings
from infra.temporal import connect
from workflows.media.messages import MediaRef, PublishInput, RenderInput

A = TypeVar("A")
R = TypeVar("R")


class _Job:
    """The steps of one picture, in the process of a pool."""

    def __init__(self, parts: WorkerParts) -> None:
        self._parts = parts
        self._inspecting = InspectActivities(parts)
        self._images = ImageActivities(parts)
        self._records = RecordActivities(parts)

    def ingest(self, media_id: str) -> None:
        ref = MediaRef(media_id)
        found = self._step(self._inspecting.inspect_original, ref, "inspect")
        order = RenderInput(media_id, ref.generation, found.content_type)
        self._step(self._images.render_image, order, "render")
        publish = PublishInput(media_id, ref.generation, "ready", ())
        self._step(self._records.publish_media, publish, "publish")

    def _step(self, activity: Callable[[A], R], order: A, name: str) -> R:
        """Outside of Temporal a step has no run to tell how it stands: it is given an empty one."""
        media_id = getattr(order, "media_id", "")
        self._parts.valkey.hincrby(STEPS_KEY, f"{media_id} {name}", 1)
        around = ActivityEnvironment()
        around.info = replace(around.info, workflow_id=ingest_workflow_id(media_id))
        return around.run(activity, order)


class _Process:
    """What a process of the pool has open; made after the fork."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._job: _Job | None = None

    @property
    def job(self) -> _Job:
        if self._job is None:
            raise RuntimeError("this process is none of the pool's")
        return self._job

    def open(self, **_: object) -> None:
        settings = load_settings()
        client = asyncio.run(connect(settings, lazy=True))
        self._job = _Job(self._stack.enter_context(open_worker_parts(settings, client)))

    def close(self, **_: object) -> None:
        self._stack.close()


def _served() -> Celery:
    variant = VARIANTS[os.environ[VARIANT_SETTING]]
    made = make_app(variant, load_settings().valkey_url)
    process = _Process()
    worker_process_init.connect(process.open, weak=False)
    worker_process_shutdown.connect(process.close, weak=False)

    def ingest_picture(media_id: str) -> None:
        process.job.ingest(media_id)

    made.task(name=TASK, **variant.task)(ingest_picture)
    return made


app = _served()
