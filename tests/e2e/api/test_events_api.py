"""Progress as Server-Sent Events: Postgres first, Valkey live, an end at a final state."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx2 as httpx
import pytest
from redis import Redis
from sqlalchemy import Engine

from domain.accounts import Role
from infra.db import transaction
from infra.models import Media, User
from infra.redis import ProgressEvent, publish_progress
from tests.harness.api import RunningApi, StartApi
from tests.harness.rows import MakeMedia, MakeUser

MEDIA = "/api/v1/media"


@pytest.fixture
def creator(make_user: MakeUser) -> User:
    return make_user(role=Role.CREATOR)


@contextmanager
def events(
    client: httpx.Client, media: Media, **headers: str
) -> Iterator[Iterator[tuple[str, str | None, dict[str, Any]]]]:
    """(event, id, data) of each event, as they come."""
    with client.stream("GET", f"{MEDIA}/{media.id}/events", headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield _parsed(answer.iter_lines())


def _parsed(lines: Iterator[str]) -> Iterator[tuple[str, str | None, dict[str, Any]]]:
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "data" in fields:
            yield fields["event"], fields.get("id"), json.loads(fields["data"])
            fields = {}


def tell(valkey: Redis, media: Media, percent: int, *, state: str = "processing") -> None:
    told = ProgressEvent(
        media_id=media.id,
        generation=media.generation,
        step="render",
        percent=percent,
        note=None,
        state=state,
        at=datetime.now(UTC),
    )
    assert publish_progress(valkey, told)


def finish(engine: Engine, valkey: Redis, media: Media) -> None:
    """As the run does: the row first, then the event."""
    with transaction(engine) as session:
        row = session.get_one(Media, media.id)
        row.state, row.progress_percent = "ready", 100
    tell(valkey, media, 100, state="ready")


def test_a_follower_hears_how_it_stands_then_what_happens_then_the_end(
    api: RunningApi, creator: User, make_media: MakeMedia, valkey: Redis, engine: Engine
) -> None:
    media = make_media(owner=creator, progress_percent=10, step="inspect")
    with events(api.client(creator), media) as heard:
        name, _, data = next(heard)
        assert (name, data["percent"], data["step"]) == ("progress", 10, "inspect")
        tell(valkey, media, 40)
        name, entry_id, data = next(heard)
        assert (name, data["percent"], data["state"]) == ("progress", 40, "processing")
        assert entry_id is not None
        finish(engine, valkey, media)
        name, _, data = next(heard)
        assert (name, data["state"], data["percent"]) == ("done", "ready", 100)
        assert list(heard) == []


def test_what_is_over_is_told_at_once(
    api: RunningApi, creator: User, make_media: MakeMedia
) -> None:
    media = make_media(owner=creator, state="rejected", rejection_code="infected")
    with events(api.client(creator), media) as heard:
        told = list(heard)
    assert [(name, data["state"]) for name, _, data in told] == [("done", "rejected")]
    assert told[0][2]["rejection"]["code"] == "infected"


def test_a_follower_who_comes_back_goes_on_after_what_it_heard(
    api: RunningApi, creator: User, make_media: MakeMedia, valkey: Redis
) -> None:
    media = make_media(owner=creator)
    client = api.client(creator)
    with events(client, media) as heard:
        next(heard)
        tell(valkey, media, 20)
        _, entry_id, _ = next(heard)
        assert entry_id is not None
    tell(valkey, media, 30)
    tell(valkey, media, 40)
    with events(client, media, **{"last-event-id": entry_id}) as heard:
        next(heard)
        assert [next(heard)[2]["percent"] for _ in range(2)] == [30, 40]
    with events(client, media, **{"last-event-id": "garbage !"}) as heard:
        next(heard)
        assert next(heard)[2]["percent"] == 40


def test_what_is_playable_is_not_told_to_be_processing_again(
    api: RunningApi, creator: User, make_media: MakeMedia, valkey: Redis
) -> None:
    media = make_media(owner=creator, state="playable", published_generation=1)
    with events(api.client(creator), media) as heard:
        assert next(heard)[2]["state"] == "playable"
        tell(valkey, media, 50, state="processing")
        assert next(heard)[2]["state"] == "playable"


def test_who_followed_the_upload_hears_that_it_is_processed(
    api: RunningApi, creator: User, make_media: MakeMedia, valkey: Redis
) -> None:
    media = make_media(owner=creator, state="uploading")
    with events(api.client(creator), media) as heard:
        assert next(heard)[2]["state"] == "uploading"
        tell(valkey, media, 5, state="processing")
        assert next(heard)[2]["state"] == "processing"


def test_progress_does_not_fall_back_when_a_step_is_tried_again(
    api: RunningApi, creator: User, make_media: MakeMedia, valkey: Redis
) -> None:
    media = make_media(owner=creator, progress_percent=30)
    with events(api.client(creator), media) as heard:
        next(heard)
        for told, shown in ((20, 30), (60, 60), (40, 60), (70, 70)):
            tell(valkey, media, told)
            assert next(heard)[2]["percent"] == shown


def test_the_end_is_told_from_postgres_when_valkey_is_away(
    start_api: StartApi, creator: User, make_media: MakeMedia, engine: Engine
) -> None:
    api = start_api(valkey_url="redis://127.0.0.1:1/0")
    media = make_media(owner=creator)

    def end_it() -> None:
        time.sleep(0.5)
        with transaction(engine) as session:
            session.get_one(Media, media.id).state = "ready"

    ending = threading.Thread(target=end_it)
    ending.start()
    with events(api.client(creator), media) as heard:
        told = [(name, data["state"]) for name, _, data in heard]
    ending.join()
    assert told == [("progress", "processing"), ("done", "ready")]


def test_a_stranger_and_a_guest_are_refused_before_the_stream(
    api: RunningApi, creator: User, make_media: MakeMedia, make_user: MakeUser
) -> None:
    private = make_media(owner=creator)
    public = make_media(owner=creator, visibility="public", state="ready")
    url = f"{MEDIA}/{private.id}/events"
    assert api.client().get(url).status_code == 401
    assert api.client(make_user()).get(url).status_code == 404
    assert api.client(make_user()).get(f"{MEDIA}/{public.id}/events").status_code == 403
