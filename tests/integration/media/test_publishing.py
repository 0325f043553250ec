"""Where the judgement lets a media go when a run publishes it."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine
from temporalio.testing import ActivityEnvironment

from activities.media.records import RecordActivities
from activities.parts import WorkerParts
from domain.media.states import MediaState
from infra.db import transaction
from infra.models import Media
from tests.harness.rows import MakeMedia
from workflows.media.messages import PublishInput


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
