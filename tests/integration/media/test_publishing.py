"""Where the judgement lets a media go when a run publishes it."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import Engine
from temporalio.testing import ActivityEnvironment

from activities.media.records import RecordActivities
from activities.parts import WorkerParts
from activities.progress import HEARTBEAT_SECONDS
from domain.media.states import MediaState
from infra.db import transaction
from infra.models import Media
from tests.harness.rows import MakeMedia
from workflows.media.messages import Published, PublishInput


@pytest.mark.parametrize(
    ("outcome", "skipped", "state"),
    [
        pytest.param("pass", (), MediaState.READY, id="found to be fine"),
        pytest.param("label", (), MediaState.READY, id="labelled"),
        pytest.param("hold", (), MediaState.HELD, id="for a person to judge"),
        pytest.param(None, ("moderate",), MediaState.HELD, id="judged by nobody"),
        pytest.param("pass", ("moderate",), MediaState.READY, id="released by a person meanwhile"),
    ],
)
def test_what_is_published_is_shown_as_it_was_judged(
    media_parts: WorkerParts,
    make_media: MakeMedia,
    engine: Engine,
    outcome: str | None,
    skipped: tuple[str, ...],
    state: MediaState,
) -> None:
    media = make_media(moderation_outcome=outcome)
    order = PublishInput(media.id, media.generation, "ready", skipped)
    published = ActivityEnvironment().run(RecordActivities(media_parts).publish_media, order)
    assert published.state == state
    with transaction(engine) as session:
        assert session.get_one(Media, media.id).state == state


def test_publishing_that_has_to_wait_tells_that_its_worker_lives(
    media_parts: WorkerParts, make_media: MakeMedia, engine: Engine
) -> None:
    media = make_media(moderation_outcome="pass")
    has_beaten = threading.Event()
    environment = ActivityEnvironment()
    environment.on_heartbeat = lambda *_: has_beaten.set()
    done: list[Published] = []

    def publish() -> None:
        order = PublishInput(media.id, media.generation, "ready", ())
        done.append(environment.run(RecordActivities(media_parts).publish_media, order))

    with transaction(engine) as session:
        session.get_one(Media, media.id, with_for_update=True)
        publishing = threading.Thread(target=publish)
        publishing.start()
        assert has_beaten.wait(10 * HEARTBEAT_SECONDS)
        assert not done
    publishing.join()
    assert [published.state for published in done] == [MediaState.READY]
