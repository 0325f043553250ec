"""Long videos: cut in chunks, encoded on several workers at once, joined without a seam."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations, pairwise
from subprocess import Popen

import numpy as np
import pytest
from sqlalchemy import Engine

from domain.media.states import MediaState
from infra.storage import Storage
from tests.e2e.media import clips
from tests.e2e.media.history import Encoded, encodes_of
from tests.e2e.media.person import SETTLE_SECONDS, Json, Person, SourceFile
from tests.e2e.media.platform import Platform, deployed
from tests.e2e.media.watching import Master, frames_of, listen, master_of, watch
from tests.integration.media.video_clips import evenly
from workflows.queues import Queue

pytestmark = pytest.mark.timeout(400)

SECONDS = 22
CHUNKS = 6
FRAMES = SECONDS * clips.STEPS_PER_SECOND


@dataclass(frozen=True)
class Early:
    """What could be seen while only the first rung was there, and every encoder stood still."""

    media: Json
    master: Master
    times: list[float]
    sound_seconds: float


@dataclass(frozen=True)
class Premiere:
    """One long video from its upload to its last rung."""

    owner: Person
    early: Early
    media: Json
    master: Master
    events: list[Json]
    encodes: list[Encoded]

    def encodes_of_pass(self, index: int) -> list[Encoded]:
        return [each for each in self.encodes if each.result.pass_index == index]


@pytest.fixture(scope="module")
def premiere(
    stack_environment: dict[str, str],
    storage: Storage,
    worker_engine: Engine,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Premiere]:
    folder = tmp_path_factory.mktemp("premiere")
    film = clips.steps(folder, SECONDS)
    with (
        deployed(
            stack_environment,
            name="long",
            storage=storage,
            engine=worker_engine,
            WORKER_MEDIA_SLOTS="1",
        ) as platform,
        platform.working(Queue.WORKFLOWS, Queue.IO),
        platform.worker_process(Queue.MEDIA, log=folder / "one.log") as one,
        platform.worker_process(Queue.MEDIA, log=folder / "two.log") as two,
    ):
        yield _shown(platform, film, one, two)


def _shown(platform: Platform, film: SourceFile, *workers: Popen[bytes]) -> Premiere:
    owner = platform.creator()
    upload = owner.send(film)
    media_id = upload["media_id"]
    with _followed(owner, media_id) as events:
        owner.complete(upload)
        _await_state(platform, media_id, MediaState.PLAYABLE)
        with _standing_still(*workers):
            early = _early(owner, media_id)
        media = owner.ready(media_id)
    return Premiere(
        owner=owner,
        early=early,
        media=media,
        master=master_of(owner, media_id),
        events=events,
        encodes=platform.ask(lambda temporal: encodes_of(temporal, media_id)),
    )


def _early(owner: Person, media_id: str) -> Early:
    master = master_of(owner, media_id)
    return Early(
        media=owner.media(media_id),
        master=master,
        times=watch(master.rungs[0].url),
        sound_seconds=listen(master.sounds[0].url),
    )


@contextmanager
def _followed(owner: Person, media_id: str) -> Iterator[list[Json]]:
    """The progress that an app hears, from how the media stands when the block is entered;
    complete when it is left."""
    heard: list[Json] = []
    listening = threading.Event()

    def listen() -> None:
        for event in owner.events(media_id):
            heard.append(event)
            listening.set()

    ear = threading.Thread(target=listen, daemon=True)
    ear.start()
    assert listening.wait(SETTLE_SECONDS), "the stream of events did not begin"
    yield heard
    ear.join(SETTLE_SECONDS)
    assert not ear.is_alive(), "the stream of events did not end"


def _await_state(platform: Platform, media_id: str, state: MediaState) -> None:
    """Asks the database at once and often: the state may last for a second only."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while (now := platform.row(media_id).state) != state:
        assert not MediaState(now).is_final and time.monotonic() < deadline, f"it is {now}"
        time.sleep(0.02)


@contextmanager
def _standing_still(*workers: Popen[bytes]) -> Iterator[None]:
    for worker in workers:
        worker.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for worker in workers:
            worker.send_signal(signal.SIGCONT)


def test_it_plays_whole_before_its_other_rungs_are_there(premiere: Premiere) -> None:
    early = premiere.early
    assert early.media["state"] == "playable"
    assert early.master.sizes == [(640, 360)]
    assert early.times == pytest.approx(evenly(FRAMES, clips.STEPS_PER_SECOND), abs=1e-4)
    assert early.sound_seconds == pytest.approx(SECONDS, rel=0.01)
    assert premiere.master.sizes == [(426, 240), (640, 360)]
    manage = premiere.media["manage"]
    assert datetime.fromisoformat(manage["playable_at"]) < datetime.fromisoformat(
        manage["ready_at"]
    )


def test_who_began_early_can_go_on_when_it_is_ready(premiere: Premiere) -> None:
    assert watch(premiere.early.master.rungs[0].url) == premiere.early.times


def test_chunks_are_encoded_at_once_on_all_workers(premiere: Premiere) -> None:
    first = premiere.encodes_of_pass(0)
    assert sorted(each.result.chunk_index for each in first) == list(range(CHUNKS))
    assert len({each.worker for each in first}) == 2
    together = [
        (one, two)
        for one, two in combinations(first, 2)
        if one.worker != two.worker and one.overlaps(two)
    ]
    assert together, "one chunk waited for the other"


def test_no_chunk_of_the_other_rungs_goes_before_the_first_rung(premiere: Premiere) -> None:
    first, later = premiere.encodes_of_pass(0), premiere.encodes_of_pass(1)
    assert len(later) == CHUNKS
    assert max(each.ended_at for each in first) < min(each.scheduled_at for each in later)


@pytest.mark.parametrize("rung", [0, 1])
def test_chunks_are_joined_without_a_seam(premiere: Premiere, rung: int) -> None:
    stream = premiere.master.rungs[rung]
    assert [each.seconds for each in stream.segments] == [4, 4, 4, 4, 4, 2]
    assert watch(stream.url) == premiere.early.times
    shown = frames_of(stream.url, size=(2, 2)).mean(axis=(1, 2, 3))
    expected = np.array([clips.grey_of_step(frame) for frame in range(FRAMES)])
    # A frame too many or too few would be off by one step, 11.6.
    assert np.abs(shown - expected).max() < 5.5


def test_an_app_hears_progress_rise_from_the_upload_to_the_end(premiere: Premiere) -> None:
    events = premiere.events
    percents = [event["percent"] for event in events]
    assert all(earlier <= later for earlier, later in pairwise(percents)), percents
    encoding = {event["percent"] for event in events if event["step"] == "transcode"}
    assert len(encoding) >= CHUNKS, f"too few steps to draw a bar by: {sorted(encoding)}"
    states = list(dict.fromkeys(event["state"] for event in events))
    assert states == ["uploading", "processing", "playable", "ready"]
    assert percents[-1] == 100
    playable_at = next(event["percent"] for event in events if event["state"] == "playable")
    assert playable_at < 90, "the other rungs are still to be encoded"
