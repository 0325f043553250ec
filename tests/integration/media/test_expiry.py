"""Uploads that nobody completed: closed by the sweep, and nothing of them is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select
from temporalio.testing import ActivityEnvironment

from activities.media.sweeping import SweepActivities
from activities.parts import WorkerParts
from domain.media.states import MediaState
from infra.db import transaction
from infra.ids import new_id
from infra.models import Media, Upload
from infra.storage import Storage
from tests.harness.rows import MakeMedia

LONG_AGO = datetime.now(UTC) - timedelta(days=2)


@pytest.fixture
def abandoned(
    engine: Engine, make_media: MakeMedia, storage: Storage
) -> Callable[[MediaState, str], Media]:
    """A media of which bytes have arrived, as one object and as open parts of another upload,
    and whose time is over."""

    def make(media_state: MediaState, upload_state: str) -> Media:
        media = make_media(state=media_state.value)
        storage.put_bytes(
            storage.quarantine, media.original_key, b"half of it", content_type="image/jpeg"
        )
        multipart_id = storage.create_multipart(media.original_key, "image/jpeg")
        with transaction(engine) as session:
            session.add(
                Upload(
                    id=new_id(),
                    media_id=media.id,
                    owner_id=media.owner_id,
                    state=upload_state,
                    declared_bytes=1000,
                    declared_type="image/jpeg",
                    object_key=media.original_key,
                    multipart_id=multipart_id,
                    part_bytes=500,
                    part_count=2,
                    expires_at=LONG_AGO,
                )
            )
        return media

    return make


@pytest.mark.parametrize(
    ("media_state", "upload_state", "closed"),
    [
        pytest.param(MediaState.UPLOADING, "open", 1, id="abandoned"),
        pytest.param(MediaState.EXPIRED, "expired", 0, id="closed by a sweep that then died"),
    ],
)
async def test_nothing_is_kept_of_an_upload_whose_time_is_over(
    media_parts: WorkerParts,
    engine: Engine,
    abandoned: Callable[[MediaState, str], Media],
    media_state: MediaState,
    upload_state: str,
    closed: int,
) -> None:
    media = abandoned(media_state, upload_state)
    sweep = SweepActivities(media_parts).sweep_media
    assert (await ActivityEnvironment().run(sweep)).expired_uploads == closed
    storage = media_parts.storage
    assert not list(storage.list_prefix(storage.quarantine, media.original_key))
    still_open = storage.list_stale_multiparts(before=datetime.now(UTC) + timedelta(hours=1))
    assert media.original_key not in {each.key for each in still_open}
    with transaction(engine) as session:
        row = session.get_one(Media, media.id)
        assert row.state == MediaState.EXPIRED
        assert row.erased_at is not None


async def test_a_multipart_upload_of_which_no_row_knows_is_aborted(
    media_parts: WorkerParts, storage: Storage
) -> None:
    """As a crash leaves it between storage's answer and the row."""
    key = f"o/{new_id()}"
    storage.create_multipart(key, "video/mp4")
    soon = datetime.now(UTC) + timedelta(minutes=1)
    await ActivityEnvironment().run(SweepActivities(media_parts).sweep_media)
    assert key in {each.key for each in storage.list_stale_multiparts(before=soon)}
    settings = media_parts.settings.model_copy(update={"upload_expiry_seconds": 0})
    impatient = replace(media_parts, settings=settings)
    await ActivityEnvironment().run(SweepActivities(impatient).sweep_media)
    assert key not in {each.key for each in storage.list_stale_multiparts(before=soon)}


@pytest.mark.parametrize(("erased_minutes_ago", "is_kept"), [(61, False), (59, True)])
async def test_a_file_sent_again_after_its_media_was_erased_is_not_kept(
    media_parts: WorkerParts,
    engine: Engine,
    abandoned: Callable[[MediaState, str], Media],
    erased_minutes_ago: int,
    is_kept: bool,
) -> None:
    """Its signed address held on for half an hour, and a slow transfer takes its time too."""
    media = abandoned(MediaState.DELETED, "aborted")
    with transaction(engine) as session:
        row = session.get_one(Media, media.id)
        row.erased_at = datetime.now(UTC) - timedelta(minutes=erased_minutes_ago)
    await ActivityEnvironment().run(SweepActivities(media_parts).sweep_media)
    storage = media_parts.storage
    assert bool(list(storage.list_prefix(storage.quarantine, media.original_key))) is is_kept
    with transaction(engine) as session:
        uploads = session.scalars(select(Upload).where(Upload.media_id == media.id)).all()
    assert bool(uploads) is is_kept
