"""Deletion: nothing is left anywhere, whenever it comes and whatever stands in its way."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Engine
from temporalio.client import Client, WorkflowExecutionStatus

from domain.ids import delete_workflow_id, ingest_workflow_id
from infra.cdn import purge_signature
from infra.db import transaction
from infra.models import BlockedHash, EncodedChunk
from infra.storage import Storage
from tests.e2e.media import pictures
from tests.e2e.media.person import Person, SourceFile
from tests.e2e.media.platform import Platform, deployed
from tests.e2e.media.staff import Operator
from tests.harness.faulty_s3 import FaultyS3
from tests.harness.purge_hook import PurgeHook
from tests.integration.media.video_clips import FAST_H264, ffmpeg, picture, tone
from workflows.queues import Queue

pytestmark = pytest.mark.timeout(300)

CDN_KEY = b"c" * 32
NOTHING: dict[str, list[str]] = {"original": [], "private": [], "work": [], "public": []}


@dataclass(frozen=True)
class Site:
    """A platform behind a CDN; its media workers meet storage through a proxy."""

    platform: Platform
    hook: PurgeHook
    store: FaultyS3
    owner: Person

    def delete(self, media_id: str) -> None:
        self.owner.call("DELETE", f"/media/{media_id}")

    def delete_and_wait(self, media_id: str) -> None:
        self.delete(media_id)
        self.until_erased(media_id)

    def until_erased(self, media_id: str) -> None:
        self.until_over(delete_workflow_id(media_id))

    def until_over(self, workflow_id: str) -> None:
        """Wait for a run that ends well."""

        async def waited(client: Client) -> None:
            await client.get_workflow_handle(workflow_id).result()

        self.platform.ask(waited)

    def status(self, workflow_id: str) -> WorkflowExecutionStatus | None:
        async def asked(client: Client) -> WorkflowExecutionStatus | None:
            return (await client.get_workflow_handle(workflow_id).describe()).status

        return self.platform.ask(asked)

    def purged(self, media_id: str) -> list[list[str]]:
        """Calls of the hook that speak of this media."""
        return [paths for paths in self.hook.purged() if any(media_id in path for path in paths)]

    def assert_nothing_is_left(self, media_id: str) -> None:
        assert self.platform.stored(media_id) == NOTHING
        assert self.platform.renditions(media_id) == []
        with transaction(self.platform.engine) as session:
            assert session.query(EncodedChunk).filter_by(media_id=media_id).count() == 0
        assert self.purged(media_id) == [[f"/files/m/{media_id}/", f"/files/p/{media_id}/"]]
        scratch = self.platform.settings.scratch_dir
        assert not list(scratch.rglob(f"*{media_id}*"))
        row = self.platform.row(media_id)
        assert (row.state, row.published_generation) == ("deleted", None)
        assert row.erased_at is not None
        assert row.original_deleted_at is not None
        assert (row.key_id, row.key_wrapped, row.thumbhash) == (None, None, None)
        assert (row.title, row.alt_text, row.file_name) == (None, None, "")
        (entry,) = self.platform.audit(media_id, "media.erased")
        assert entry.actor_name == "creator"


@pytest.fixture(scope="module")
def site(
    stack_environment: dict[str, str], storage: Storage, worker_engine: Engine
) -> Iterator[Site]:
    with ExitStack() as stack:
        hook = stack.enter_context(PurgeHook().running())
        store = stack.enter_context(FaultyS3(stack_environment["S3_ENDPOINT"]).running())
        platform = stack.enter_context(
            deployed(
                stack_environment,
                name="erasure",
                storage=storage,
                engine=worker_engine,
                CDN_BASE_URL="https://cdn.example.com/files",
                CDN_PURGE_URL=hook.address,
                CDN_SIGNING_KEY=base64.b64encode(CDN_KEY).decode(),
            )
        )
        stack.enter_context(platform.working(Queue.WORKFLOWS, Queue.IO))
        stack.enter_context(platform.working(Queue.MEDIA, s3_endpoint=store.address))
        yield Site(platform, hook, store, platform.creator("vera.leaves"))


def _clip(folder: Path, seconds: float, *, size: str = "640x360") -> SourceFile:
    path = folder / "clip.mp4"
    moving = picture(seconds, size=size, rate="10")
    ffmpeg(*moving, *tone(seconds), *FAST_H264, "-g", "20", path)
    return SourceFile("clip.mp4", path.read_bytes(), "video/mp4")


@pytest.mark.parametrize("kind", ["image", "video"])
def test_every_object_goes_from_every_bucket_and_the_cdn_is_told(
    site: Site, kind: str, tmp_path: Path
) -> None:
    file = pictures.photo(60) if kind == "image" else _clip(tmp_path, 1, size="160x120")
    media_id = site.owner.upload(file, title="Private matters", alt_text="Of mine")
    site.owner.ready(media_id)
    stored = site.platform.stored(media_id)
    assert stored["original"] and stored["private"] and stored["public"]
    site.delete_and_wait(media_id)
    site.assert_nothing_is_left(media_id)
    site.owner.call("GET", f"/media/{media_id}", status=404)
    site.owner.call("DELETE", f"/media/{media_id}", status=404)


def test_the_call_of_the_purge_hook_is_signed(site: Site) -> None:
    media_id = site.owner.upload(pictures.photo(61))
    site.owner.ready(media_id)
    site.delete_and_wait(media_id)
    ((headers, body),) = [call for call in site.hook.calls if media_id.encode() in call[1]]
    assert json.loads(body).keys() == {"paths"}
    timestamp = int(headers["X-Fansworld-Timestamp"])
    signature = purge_signature(body, timestamp, signing_key=CDN_KEY)
    assert headers["X-Fansworld-Signature"] == signature


def test_other_media_stay(site: Site) -> None:
    gone, stays = (site.owner.upload(pictures.photo(seed)) for seed in (62, 63))
    before = [site.owner.ready(media_id) for media_id in (gone, stays)][1]
    stored = site.platform.stored(stays)
    site.delete_and_wait(gone)
    assert site.platform.stored(stays) == stored
    assert site.owner.media(stays)["renditions"][0]["name"] == before["renditions"][0]["name"]


def test_a_hook_that_refuses_waits_for_an_operator(site: Site) -> None:
    media_id = site.owner.upload(pictures.photo(64))
    site.owner.ready(media_id)
    operator = Operator(site.platform, run_of=delete_workflow_id)
    site.hook.status = 403
    try:
        site.delete(media_id)
        operator.until_waiting(media_id)
    finally:
        site.hook.status = 204
    assert operator.finds(media_id)
    assert "Check CDN_PURGE_URL and CDN_SIGNING_KEY" in operator.details(media_id)
    assert site.platform.row(media_id).erased_at is None
    site.owner.call("GET", f"/media/{media_id}", status=404)
    site.hook.calls.clear()
    operator.decide(media_id, "retry_step", step="erase", operator="Kim Ito")
    site.until_erased(media_id)
    site.assert_nothing_is_left(media_id)
    (entry,) = site.platform.audit(media_id, "media.step_retried")
    assert (entry.actor_name, entry.detail["step"]) == ("Kim Ito", "erase")


def test_what_is_being_encoded_is_cancelled_and_erased(site: Site, tmp_path: Path) -> None:
    media_id = site.owner.upload(_clip(tmp_path, 20))
    site.owner.until(media_id, lambda media: media["manage"]["progress"]["step"] == "transcode")
    assert site.owner.media(media_id)["state"] in ("processing", "playable")
    site.delete_and_wait(media_id)
    assert site.status(ingest_workflow_id(media_id)) is WorkflowExecutionStatus.CANCELED
    site.assert_nothing_is_left(media_id)


def test_what_was_already_watched_of_a_long_video_is_purged_too(site: Site, tmp_path: Path) -> None:
    """Its first rung is served while the next one can't be stored."""
    upload = site.owner.send(_clip(tmp_path, 9))
    media_id = upload["media_id"]
    site.store.deny("PUT", f"/{media_id}/1/240p/")
    site.owner.complete(upload)
    site.owner.until(media_id, lambda media: media["state"] == "playable")
    assert site.owner.playback(media_id)["hls_url"]
    site.delete_and_wait(media_id)
    assert site.status(ingest_workflow_id(media_id)) is WorkflowExecutionStatus.CANCELED
    site.assert_nothing_is_left(media_id)


def test_what_the_block_list_meets_when_it_is_made_again_is_taken_down(site: Site) -> None:
    """It was published before its hash was on the list."""
    media_id = site.owner.upload(pictures.photo(66))
    site.owner.ready(media_id)
    fan = site.platform.fan()
    site.platform.entitle(fan, site.owner)
    assert fan.media(media_id)["renditions"]
    known_hash = site.platform.row(media_id).pdq_hash
    assert known_hash is not None
    with transaction(site.platform.engine) as session:
        session.add(BlockedHash(pdq_hash=known_hash, source="a test"))
    site.owner.call("POST", f"/media/{media_id}/reprocess")
    media = site.owner.until(media_id, lambda body: body["state"] == "rejected")
    assert media["manage"]["rejection"]["code"] == "blocked_content"
    fan.call("GET", f"/media/{media_id}", status=404)
    site.until_over(ingest_workflow_id(media_id, 2))
    assert site.platform.stored(media_id) == NOTHING | {"original": [f"o/{media_id}"]}
    assert site.platform.renditions(media_id) == []
    assert site.purged(media_id) == [[f"/files/m/{media_id}/", f"/files/p/{media_id}/"]]


def test_an_upload_that_no_worker_has_seen_goes_too(site: Site) -> None:
    """The bytes are there and the run is not, as after a crash."""
    upload = site.owner.send(pictures.photo(65))
    media_id = upload["media_id"]
    assert site.platform.stored(media_id)["original"]
    site.delete_and_wait(media_id)
    assert site.platform.stored(media_id) == NOTHING
    site.owner.call("POST", f"/uploads/{upload['id']}/complete", status=410)
