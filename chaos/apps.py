"""Our own processes as in production: one for each kind of worker, so that each can die alone."""

from __future__ import annotations

from devstack.apps import Api, WorkerProcess
from devstack.part import Part
from workflows.queues import Queue

MEDIA_WORKERS = ("worker-media-1", "worker-media-2")
WORKERS = ("worker-workflows", "worker-io", "worker-money", *MEDIA_WORKERS)


def make_apps() -> tuple[Part, ...]:
    return (
        Api(),
        WorkerProcess("worker-workflows", Queue.WORKFLOWS),
        WorkerProcess("worker-io", Queue.IO),
        WorkerProcess("worker-money", Queue.MONEY),
        *(WorkerProcess(name, Queue.MEDIA) for name in MEDIA_WORKERS),
    )
