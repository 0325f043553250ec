"""An upload's address outlives the scan: what is sent to it afterwards is not looked at."""

from __future__ import annotations

import hashlib

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.media.images import ImageActivities
from activities.media.video.probing import PlanActivities
from activities.parts import WorkerParts
from infra.ids import new_id
from infra.models import Media
from infra.storage import Storage
from tests.harness.rows import MakeMedia
from tests.integration.images.pictures import bytes_of, scene
from workflows.media.messages import RenderInput
from workflows.policies import REJECTED


@pytest.fixture
def scanned(make_media: MakeMedia, storage: Storage) -> Media:
    """A picture in quarantine, as inspection leaves it."""
    body = bytes_of(lambda file: scene(40, 30).save(file, "BMP"))
    media_id = new_id()
    media = make_media(
        id=media_id,
        original_bytes=len(body),
        original_sha256=hashlib.sha256(body).hexdigest(),
        content_type="image/bmp",
    )
    storage.put_bytes(storage.quarantine, media.original_key, body, content_type="image/bmp")
    return media


def replace_original(storage: Storage, media: Media) -> None:
    """As many bytes as before, which is what the signed address asks for."""
    body = bytes_of(lambda file: scene(40, 30, detail=3).save(file, "BMP"))
    assert len(body) == media.original_bytes
    storage.put_bytes(storage.quarantine, media.original_key, body, content_type="image/bmp")


def test_the_picture_that_was_scanned_is_rendered(media_parts: WorkerParts, scanned: Media) -> None:
    order = RenderInput(scanned.id, 1, "image/bmp", only_renditions=("thumb.jpg",))
    done = ActivityEnvironment().run(ImageActivities(media_parts).render_image, order)
    assert done.renditions == 1


def test_a_picture_that_was_replaced_after_its_scan_is_refused(
    media_parts: WorkerParts, scanned: Media, storage: Storage
) -> None:
    replace_original(storage, scanned)
    order = RenderInput(scanned.id, 1, "image/bmp")
    with pytest.raises(ApplicationError) as caught:
        ActivityEnvironment().run(ImageActivities(media_parts).render_image, order)
    assert (caught.value.type, caught.value.details[0]) == (REJECTED, "hash_mismatch")
    assert not list(storage.list_prefix(storage.media, f"m/{scanned.id}/"))


def test_no_encoder_of_videos_is_given_a_replaced_original(
    media_parts: WorkerParts, scanned: Media, storage: Storage
) -> None:
    replace_original(storage, scanned)
    order = RenderInput(scanned.id, 1, "video/mp4")
    with pytest.raises(ApplicationError) as caught:
        ActivityEnvironment().run(PlanActivities(media_parts).plan_video, order)
    assert (caught.value.type, caught.value.details[0]) == (REJECTED, "hash_mismatch")
    kept = (media_parts.settings.scratch_dir / "originals").glob(f"*{scanned.id}*")
    assert {path.suffix for path in kept} == {".lock"}
