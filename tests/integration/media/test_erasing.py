"""Deletion that takes long: its worker tells that it lives, or another would begin it too."""

from __future__ import annotations

from datetime import timedelta

import pytest
from temporalio.testing import ActivityEnvironment

from activities.media import erasing
from activities.media.erasing import EraseActivities
from activities.parts import WorkerParts
from domain.media.states import MediaState
from infra.storage import Storage
from tests.harness.rows import MakeMedia
from workflows.media.messages import DeleteMediaInput
from workflows.policies import ERASE

OBJECTS = 40


async def test_a_long_deletion_tells_that_its_worker_lives(
    make_media: MakeMedia,
    media_parts: WorkerParts,
    storage: Storage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(erasing, "ERASING_BEAT_SECONDS", 0.002)
    media = make_media(state=MediaState.DELETED.value)
    for number in range(OBJECTS):
        key = f"m/{media.id}/{number}"
        storage.put_bytes(storage.media, key, b"part", content_type="video/mp4")
    beats: list[tuple[object, ...]] = []
    environment = ActivityEnvironment()
    environment.on_heartbeat = lambda *details: beats.append(details)

    order = DeleteMediaInput(media_id=media.id, requested_by="ada")
    erased = await environment.run(EraseActivities(media_parts).erase_media, order)

    assert erased.objects == OBJECTS + 1
    assert beats
    assert not list(storage.list_prefix(storage.media, f"m/{media.id}/"))


def test_signs_of_life_come_several_times_before_they_are_missed() -> None:
    assert ERASE.heartbeat is not None
    assert timedelta(seconds=erasing.ERASING_BEAT_SECONDS) <= ERASE.heartbeat / 4
