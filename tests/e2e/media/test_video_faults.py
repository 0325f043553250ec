"""Encodes that are interrupted: by a kill, a shutdown, a change of mind."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from domain.media.states import MediaState
from infra.storage import Storage
from tests.e2e.media import clips
from tests.e2e.media.history import Encoded, encodes_of, segments_told
from tests.e2e.media.person import SETTLE_SECONDS, Person, SourceFile, fetch
from tests.e2e.media.platform import Platform, deployed
from tests.e2e.media.slow_ffmpeg import decoders_in, slow_ffmpeg
from tests.e2e.media.watching import Master, Stream, master_of, watch
from tests.integration.media.video_clips import evenly
from workflows import policies
from workflows.queues import Queue

pytestmark = pytest.mark.timeout(300)

SECONDS = 40
SEGMENTS = 10
END_SECONDS = 10
"""Within which a decoder must be gone that nobody needs any more."""
TOLD_BEFORE_FAULT = 2
"""Segments that the server knows to be stored when the fault comes."""


@pytest.fixture(scope="module")
def interrupted(
    stack_environment: dict[str, str],
    storage: Storage,
    worker_engine: Engine,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Platform]:
    """A platform whose encodes take about ten seconds, in one piece; without media workers."""
    folder = tmp_path_factory.mktemp("interrupted")
    with (
        deployed(
            stack_environment,
            name="interrupted",
            storage=storage,
            engine=worker_engine,
            FFMPEG_PATH=str(slow_ffmpeg(folder)),
            SCRATCH_DIR=str(folder / "scratch"),
            VIDEO_CHUNK_THRESHOLD_SECONDS="600",
        ) as platform,
        platform.working(Queue.WORKFLOWS, Queue.IO),
    ):
        yield platform


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> SourceFile:
    return clips.moving(tmp_path_factory.mktemp("film"), SECONDS)


@pytest.fixture(scope="module")
def long_film(film: SourceFile, tmp_path_factory: pytest.TempPathFactory) -> SourceFile:
    """One whose encode is far from its end when `END_SECONDS` are over."""
    return clips.repeated(tmp_path_factory.mktemp("long-film"), film, 3)


def until(condition: Callable[[], bool], *, seconds: float = SETTLE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.1)


def await_segments(platform: Platform, media_id: str) -> None:
    """Until a retry would have something to go on from."""
    until(
        lambda: (
            platform.ask(lambda temporal: segments_told(temporal, media_id)) >= TOLD_BEFORE_FAULT
        )
    )


def the_encode(platform: Platform, media_id: str) -> Encoded:
    (encoded,) = platform.ask(lambda temporal: encodes_of(temporal, media_id))
    return encoded


def assert_whole(owner: Person, media_id: str) -> Master:
    """It is ready, and every frame is there once."""
    owner.ready(media_id)
    master = master_of(owner, media_id)
    assert len(master.rungs) == 2
    for rung in master.rungs:
        assert len(rung.segments) == SEGMENTS
        assert watch(rung.url) == pytest.approx(evenly(SECONDS * 25, 25), abs=1e-4)
    return master


def written_at(stream: Stream) -> list[datetime]:
    """When each segment was last written, by the clock of storage, in whole seconds."""
    answers = [fetch(segment.url) for segment in stream.segments]
    return [parsedate_to_datetime(answer.headers["last-modified"]) for answer in answers]


def test_a_killed_worker_costs_only_what_it_had_not_stored(
    interrupted: Platform, film: SourceFile, tmp_path: Path
) -> None:
    owner = interrupted.creator()
    with interrupted.worker_process(Queue.MEDIA, log=tmp_path / "log") as worker:
        media_id = owner.upload(film)
        await_segments(interrupted, media_id)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        killed_at = datetime.now(UTC)
    until(lambda: not decoders_in(interrupted.settings.scratch_dir), seconds=END_SECONDS)
    with interrupted.working(Queue.MEDIA):
        master = assert_whole(owner, media_id)
    encoded = the_encode(interrupted, media_id)
    assert encoded.attempt == 2
    assert encoded.failure_before == "timeout_failure_info"
    resumed_from = encoded.result.resumed_from_segment
    assert TOLD_BEFORE_FAULT <= resumed_from < SEGMENTS
    for rung in master.rungs:
        times = written_at(rung)
        assert max(times[:resumed_from]) <= killed_at, "made a second time"
        assert min(times[resumed_from:]) > killed_at


def test_a_worker_that_is_shut_down_hands_its_encode_over_at_once(
    interrupted: Platform, film: SourceFile, tmp_path: Path
) -> None:
    owner = interrupted.creator()
    with interrupted.worker_process(Queue.MEDIA, log=tmp_path / "log") as worker:
        media_id = owner.upload(film)
        await_segments(interrupted, media_id)
        with interrupted.working(Queue.MEDIA):
            asked_at = datetime.now(UTC)
            worker.send_signal(signal.SIGTERM)
            worker.wait(SETTLE_SECONDS)
            assert worker.returncode == 0, (tmp_path / "log").read_text()
            assert_whole(owner, media_id)
    encoded = the_encode(interrupted, media_id)
    assert encoded.attempt == 2
    assert encoded.failure_before != "timeout_failure_info"
    assert encoded.result.resumed_from_segment >= TOLD_BEFORE_FAULT
    assert policies.ENCODE.heartbeat is not None
    handed_over_after = encoded.started_at.replace(tzinfo=UTC) - asked_at
    assert handed_over_after < policies.ENCODE.heartbeat - timedelta(seconds=END_SECONDS)


def test_cancelling_ends_ffmpeg_and_leaves_nothing(
    interrupted: Platform, long_film: SourceFile, tmp_path: Path
) -> None:
    owner = interrupted.creator()
    scratch = interrupted.settings.scratch_dir
    with interrupted.worker_process(Queue.MEDIA, log=tmp_path / "log") as worker:
        media_id = owner.upload(long_film)
        await_segments(interrupted, media_id)
        assert decoders_in(scratch)
        owner.call("POST", f"/media/{media_id}/cancel")
        until(lambda: not decoders_in(scratch), seconds=END_SECONDS)
        assert owner.settle(media_id)["state"] == MediaState.CANCELLED
        interrupted.until_run_over(media_id)
        assert not interrupted.stored(media_id)["private"]
        assert not interrupted.stored(media_id)["work"]
        assert worker.poll() is None, "the worker goes on"
        assert not list((scratch / "jobs").iterdir())


def test_deleting_ends_ffmpeg_and_erases_everything(
    interrupted: Platform, long_film: SourceFile, tmp_path: Path
) -> None:
    owner = interrupted.creator()
    scratch = interrupted.settings.scratch_dir
    with interrupted.worker_process(Queue.MEDIA, log=tmp_path / "log") as worker:
        media_id = owner.upload(long_film)
        await_segments(interrupted, media_id)
        owner.call("DELETE", f"/media/{media_id}")
        owner.call("GET", f"/media/{media_id}", status=404)
        until(lambda: not decoders_in(scratch), seconds=END_SECONDS)
        until(lambda: interrupted.row(media_id).erased_at is not None)
        assert not any(interrupted.stored(media_id).values())
        assert worker.poll() is None, "the worker goes on"
