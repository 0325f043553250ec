"""What a crash, an absent client or an operator's hand left behind is set right by the sweep."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy import Engine
from temporalio.client import Client

from domain.errors import NotFound
from domain.ids import delete_workflow_id, ingest_workflow_id
from infra.db import transaction
from infra.models import Upload
from infra.storage import Storage
from tests.e2e.media import pictures
from tests.e2e.media.person import Person, SourceFile
from tests.e2e.media.platform import Platform, deployed
from tests.harness.api import serving

pytestmark = pytest.mark.timeout(300)

PART = 5 * 1024 * 1024
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def site(
    stack_environment: dict[str, str], storage: Storage, worker_engine: Engine
) -> Iterator[Platform]:
    parts = {
        name: str(PART)
        for name in (
            "UPLOAD_SINGLE_PUT_BYTES_MAX",
            "UPLOAD_PART_BYTES_MIN",
            "UPLOAD_PART_BYTES_MAX",
        )
    }
    with (
        deployed(
            stack_environment, name="sweep", storage=storage, engine=worker_engine, **parts
        ) as it,
        it.working(),
    ):
        yield it


@pytest.fixture(scope="module")
def owner(site: Platform) -> Person:
    return site.creator("yuki.vanishes")


@contextmanager
def at_another_api(site: Platform, owner: Person, **changes: str) -> Iterator[Person]:
    """The same person, at an API whose settings differ."""
    token = owner.http.headers["authorization"].removeprefix("Bearer ")
    with serving(site.settings.model_copy(update=changes)) as api:
        yield Person(owner.id, owner.handle, api.client(token=token))


NO_TEMPORAL = {"temporal_address": "127.0.0.1:9"}
NO_WORKERS = {"task_queue_prefix": "nobody-"}


def test_abandoned_uploads_expire_and_their_bytes_go(site: Platform, owner: Person) -> None:
    single = owner.send(pictures.photo(80))
    whole = os.urandom(PART + 1000)
    parts = owner.send(SourceFile("film.mp4", whole, "video/mp4"))
    young = owner.send(pictures.photo(81))
    multipart_id = _multipart_id(site, parts["id"])
    assert len(site.storage.list_parts(f"o/{parts['media_id']}", multipart_id)) == 2
    for upload in (single, parts):
        site.age(upload["media_id"], 2 * DAY)
    assert site.sweep().expired_uploads == 2
    for upload in (single, parts):
        assert site.row(upload["media_id"]).state == "expired"
        assert site.stored(upload["media_id"])["original"] == []
        owner.call("POST", f"/uploads/{upload['id']}/complete", status=410)
        owner.call("GET", f"/media/{upload['media_id']}", status=404)
    with pytest.raises(NotFound):
        site.storage.list_parts(f"o/{parts['media_id']}", multipart_id)
    assert owner.ready(owner.complete(young))
    assert site.sweep().expired_uploads == 0


def _multipart_id(site: Platform, upload_id: str) -> str:
    with transaction(site.engine) as session:
        found = session.get_one(Upload, upload_id).multipart_id
    assert found is not None
    return found


def _runs(site: Platform, media_id: str) -> list[str]:
    """Ids of the runs that ever worked on a media; every run of an id counts."""

    async def asked(client: Client) -> list[str]:
        found = client.list_workflows(f"MediaId = '{media_id}'")
        return sorted([run.id async for run in found])

    return site.ask(asked)


def _terminate(site: Platform, workflow_id: str) -> None:
    """As an operator can in the UI."""

    async def asked(client: Client) -> None:
        await client.get_workflow_handle(workflow_id).terminate()

    site.ask(asked)


def _until_erased(site: Platform, media_id: str) -> None:
    async def waited(client: Client) -> None:
        await client.get_workflow_handle(delete_workflow_id(media_id)).result()

    site.ask(waited)
    assert site.row(media_id).erased_at is not None
    assert not any(site.stored(media_id).values())


def test_a_run_that_was_never_started_is_started(site: Platform, owner: Person) -> None:
    with at_another_api(site, owner, **NO_TEMPORAL) as isolated:
        media_id = isolated.upload(pictures.photo(82))
    assert owner.media(media_id)["state"] == "processing"
    assert _runs(site, media_id) == []
    assert site.sweep().started_runs == 0, "it may still be about to be started"
    site.age(media_id, timedelta(minutes=5))
    assert site.sweep().started_runs == 1
    owner.ready(media_id)
    _until_listed(site, media_id)
    assert _runs(site, media_id) == [ingest_workflow_id(media_id)]


def test_a_re_processing_that_was_never_started_is_started_as_it_was_asked_for(
    site: Platform, owner: Person
) -> None:
    media_id = owner.upload(pictures.photo(83))
    owner.ready(media_id)
    with at_another_api(site, owner, **NO_TEMPORAL) as isolated:
        isolated.call("POST", f"/media/{media_id}/reprocess", renditions=["w320.webp"])
    site.age(media_id, timedelta(minutes=5))
    assert site.sweep().started_runs == 1
    media = owner.ready(media_id)
    assert media["manage"]["published_generation"] == 2
    rows = site.renditions(media_id, generation=2)
    remade = [each.name for each in rows if "/2/" in each.object_key]
    assert remade == ["w320.webp"]


def test_a_deletion_that_was_never_started_is_started(site: Platform, owner: Person) -> None:
    media_id = owner.upload(pictures.photo(84))
    owner.ready(media_id)
    with at_another_api(site, owner, **NO_TEMPORAL) as isolated:
        isolated.call("DELETE", f"/media/{media_id}")
    owner.call("GET", f"/media/{media_id}", status=404)
    site.age(media_id, timedelta(minutes=5))
    assert site.sweep().restarted_deletions == 1
    _until_erased(site, media_id)


def test_a_deletion_that_was_ended_from_outside_is_started_again(
    site: Platform, owner: Person
) -> None:
    media_id = owner.upload(pictures.photo(85))
    owner.ready(media_id)
    with at_another_api(site, owner, **NO_WORKERS) as neglected:
        neglected.call("DELETE", f"/media/{media_id}")
    _terminate(site, delete_workflow_id(media_id))
    site.age(media_id, timedelta(minutes=5))
    assert site.sweep().restarted_deletions == 1
    _until_erased(site, media_id)


def test_a_run_that_was_ended_from_outside_is_failed_and_can_be_done_again(
    site: Platform, owner: Person
) -> None:
    upload = owner.send(pictures.photo(86))
    media_id = upload["media_id"]
    with at_another_api(site, owner, **NO_WORKERS) as neglected:
        neglected.complete(upload)
    _terminate(site, ingest_workflow_id(media_id))
    site.age(media_id, timedelta(minutes=5))
    assert site.sweep().failed_runs == 1
    media = owner.media(media_id)
    assert media["state"] == "failed"
    assert media["manage"]["progress"]["note"] == (
        "The run was ended from outside (terminated); process it again."
    )
    owner.call("POST", f"/media/{media_id}/reprocess")
    assert owner.ready(media_id)["manage"]["published_generation"] == 2


def test_completing_twice_at_once_makes_one_run_and_one_of_everything(
    site: Platform, owner: Person
) -> None:
    upload = owner.send(pictures.photo(87))
    media_id = upload["media_id"]
    at_once = Barrier(4)

    def complete() -> str:
        at_once.wait()
        return owner.complete(upload)

    with ThreadPoolExecutor(4) as pool:
        answers = [each.result() for each in [pool.submit(complete) for _ in range(4)]]
    assert answers == [media_id] * 4
    owner.ready(media_id)
    assert owner.complete(upload) == media_id, "after its end it is only answered again"
    _until_listed(site, media_id)
    assert _runs(site, media_id) == [ingest_workflow_id(media_id)]
    names = [each.name for each in site.renditions(media_id)]
    assert names and len(names) == len(set(names))
    assert owner.media(media_id)["manage"]["published_generation"] == 1


def _until_listed(site: Platform, media_id: str) -> None:
    """Visibility is written after the run itself."""
    deadline = time.monotonic() + 20
    while not _runs(site, media_id) and time.monotonic() < deadline:
        time.sleep(0.1)
