"""The key of one media, unwrapped for as long as an encode needs it."""

from __future__ import annotations

from activities.media.video.plan import Job
from activities.parts import WorkerParts


def media_key(parts: WorkerParts, job: Job) -> bytes:
    """16 bytes. The plan made it, so a job that has a plan has a key."""
    media = job.media
    if media.key_id is None or media.key_wrapped is None:
        raise RuntimeError(f"media {media.id} was planned without a key")
    return parts.keys.unwrap(media.key_id, media.key_wrapped)
