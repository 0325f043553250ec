"""How late and repeated words about a run are taken."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy.orm import Session

from domain.media.states import MediaState
from infra.queries import ingest
from tests.harness.rows import MakeMedia

S = MediaState
NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("state", "generation", "published", "target", "then", "served"),
    [
        (S.PROCESSING, 1, None, S.FAILED, S.FAILED, None),
        (S.PLAYABLE, 1, 1, S.CANCELLED, S.CANCELLED, None),
        (S.PLAYABLE, 2, 1, S.REJECTED, S.READY, 1),
        (S.READY, 1, 1, S.REJECTED, S.REJECTED, None),
        # The run had come to its end before it was cancelled, or given up.
        (S.READY, 1, 1, S.CANCELLED, S.READY, 1),
        (S.READY, 1, 1, S.FAILED, S.READY, 1),
        (S.READY, 2, 2, S.FAILED, S.READY, 2),
        (S.HELD, 1, 1, S.FAILED, S.HELD, 1),
    ],
)
def test_what_is_served_after_a_run_that_failed(
    make_media: MakeMedia,
    session: Session,
    state: MediaState,
    generation: int,
    published: int | None,
    target: MediaState,
    then: MediaState,
    served: int | None,
) -> None:
    media = make_media(state=state, generation=generation, published_generation=published)
    code: dict[str, Any] = {"rejection_code": "too_long"} if target is S.REJECTED else {}
    row = ingest.load_media(session, media.id, generation=generation, lock=True)
    assert ingest.move_state(row, target, **code) is then
    session.flush()
    assert (row.state, row.published_generation) == (then, served)


@pytest.mark.parametrize("code", ["infected", "blocked_content"])
def test_content_that_may_not_be_served_takes_the_earlier_version_with_it(
    make_media: MakeMedia, session: Session, code: str
) -> None:
    media = make_media(state=S.PLAYABLE, generation=2, published_generation=1)
    row = ingest.load_media(session, media.id, generation=2, lock=True)
    assert ingest.move_state(row, S.REJECTED, rejection_code=code) is S.REJECTED
    session.flush()
    assert (row.rejection_code, row.published_generation) == (code, None)


def test_playable_that_comes_late_takes_nothing_back(
    make_media: MakeMedia, session: Session
) -> None:
    media = make_media(state=S.READY, published_generation=1, ready_at=NOW)
    row = ingest.load_media(session, media.id, generation=1, lock=True)
    assert ingest.switch_generation(row, state=S.PLAYABLE, now=NOW) is S.READY
    assert row.state == S.READY


def test_processing_again_makes_the_new_generation_playable(
    make_media: MakeMedia, session: Session
) -> None:
    media = make_media(state=S.PLAYABLE, generation=2, published_generation=1)
    row = ingest.load_media(session, media.id, generation=2, lock=True)
    assert ingest.switch_generation(row, state=S.PLAYABLE, now=NOW) is S.PLAYABLE
    assert row.published_generation == 2
