"""What ingest, re-processing, deletion and the sweep do to the outside.

inspecting   one read of the original: size, hash, type, virus scan
images       renditions of pictures
video        plan, chunks, sound, stills, judgement
records      how a run stands, and the switch to what is served
erasing      deletion; sweeping  what a crash left behind
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from activities.media.erasing import EraseActivities
from activities.media.images import ImageActivities
from activities.media.inspecting import InspectActivities
from activities.media.records import RecordActivities
from activities.media.sweeping import SweepActivities
from activities.media.video import (
    EncodeActivities,
    JudgeActivities,
    PlanActivities,
    SoundActivities,
    StillsActivities,
)
from activities.parts import WorkerParts
from workflows.queues import Queue

Activity = Callable[..., Any]


class MediaActivities:
    """All media activities over one set of parts, sorted by the queue that serves them."""

    def __init__(self, parts: WorkerParts) -> None:
        self._inspect = InspectActivities(parts)
        self._images = ImageActivities(parts)
        self._plan = PlanActivities(parts)
        self._encode = EncodeActivities(parts)
        self._sound = SoundActivities(parts)
        self._stills = StillsActivities(parts)
        self._judge = JudgeActivities(parts)
        self._records = RecordActivities(parts)
        self._erase = EraseActivities(parts)
        self._sweep = SweepActivities(parts)

    def on_queues(self) -> dict[Queue, list[Activity]]:
        return {Queue.MEDIA: self._on_media(), Queue.IO: self._on_io()}

    def _on_media(self) -> list[Activity]:
        return [
            self._images.render_image,
            self._plan.plan_video,
            self._encode.encode_video,
            self._sound.encode_audio,
            self._stills.finish_video,
            self._judge.judge_video,
        ]

    def _on_io(self) -> list[Activity]:
        return [
            self._inspect.inspect_original,
            self._records.mark_media,
            self._records.publish_media,
            self._records.discard_generation,
            self._erase.erase_media,
            self._sweep.sweep_media,
        ]
