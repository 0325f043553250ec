"""Task queues: which kind of worker does what."""

from __future__ import annotations

from enum import StrEnum


class Queue(StrEnum):
    WORKFLOWS = "workflows"
    MEDIA = "media"
    """CPU work: decoders and encoders, as many at a time as there are cores."""
    IO = "io"
    """Short work that waits on storage, the scanner or the database."""
    MONEY = "money"
    """Short work that waits on Stripe and writes the ledger; apart, so that no upload delays it."""


def queue_name(queue: Queue, *, prefix: str) -> str:
    return f"{prefix}{queue.value}"


def sibling_queue(queue: Queue, *, own: str) -> str:
    """The name of `queue` in the deployment whose workflow queue is called `own`."""
    return f"{own.removesuffix(Queue.WORKFLOWS.value)}{queue.value}"
