"""hls.js and Chromium play what ingest published, for whom it is meant."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser
from sqlalchemy import Engine

from devstack.databases import empty_tables
from infra.storage import Storage
from tests.e2e.media import clips
from tests.e2e.media.person import Person
from tests.e2e.media.platform import Platform, deployed
from tests.player.screen import Screen, screen

pytestmark = pytest.mark.timeout(300)

SECONDS = 10
FRAME_SECONDS = 1 / clips.STEPS_PER_SECOND
LEVELS = ((426, 240), (640, 360))


@dataclass(frozen=True)
class Cinema:
    """A long and a short video, published; both gated."""

    platform: Platform
    owner: Person
    steps_id: str
    """Encoded in chunks; every frame tells its place."""
    real_id: str

    def member(self) -> Person:
        fan = self.platform.fan()
        self.platform.entitle(fan, self.owner)
        return fan


@pytest.fixture(scope="module")
def cinema(
    stack_environment: dict[str, str],
    storage: Storage,
    worker_engine: Engine,
    page_origin: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Cinema]:
    with (
        deployed(
            stack_environment,
            name="cinema",
            storage=storage,
            engine=worker_engine,
            CORS_ORIGINS=page_origin,
        ) as platform,
        platform.working(),
    ):
        with closing(Storage(platform.settings)) as allowing:
            allowing.ensure_buckets()
        owner = platform.creator()
        steps_id = owner.upload(clips.steps(tmp_path_factory.mktemp("cinema"), SECONDS))
        real_id = owner.upload(clips.real())
        owner.ready(steps_id)
        owner.ready(real_id)
        yield Cinema(platform, owner, steps_id, real_id)
    empty_tables(worker_engine)


@pytest.fixture
def shown(browser: Browser, cinema: Cinema, page_origin: str) -> Iterator[Screen]:
    with screen(browser, origin=page_origin, api_url=cinema.platform.api.url) as opened:
        yield opened


def token_of(person: Person) -> str:
    return str(person.http.headers["authorization"]).removeprefix("Bearer ")


def start(shown: Screen, person: Person, media_id: str) -> str:
    """Ask and play; returns the master playlist's address."""
    status, url = shown.ask(media_id, token_of(person))
    assert status == 200 and url is not None
    shown.play(url)
    return url


def test_an_entitled_viewer_sees_and_hears_it_to_the_end(cinema: Cinema, shown: Screen) -> None:
    start(shown, cinema.member(), cinema.real_id)
    begun = shown.until("() => video.currentTime > 0.5")
    assert begun.levels == LEVELS
    assert begun.size in LEVELS
    assert begun.frames > 0
    later = shown.until("before => video.currentTime > before + 0.5", argument=begun.time)
    assert later.frames > begun.frames
    ended = shown.until("() => video.ended")
    assert ended.seconds == pytest.approx(5.3, abs=0.05)
    assert ended.frames >= 120, "of 132"
    assert ended.sound_bytes > 40_000
    assert ended.fatal is None


def test_a_viewer_can_change_levels_while_it_plays(cinema: Cinema, shown: Screen) -> None:
    start(shown, cinema.member(), cinema.steps_id)
    shown.until("() => video.currentTime > 0")
    for level in (0, 1, 0):
        shown.page.evaluate("level => { hls.currentLevel = level }", level)
        state = shown.until("wide => video.videoWidth === wide", argument=LEVELS[level][0])
        assert state.size == LEVELS[level]
    shown.until("before => video.currentTime > before", argument=state.time)
    assert state.fatal is None


def test_joined_chunks_play_on_without_a_gap_and_show_the_right_frames(
    cinema: Cinema, shown: Screen
) -> None:
    start(shown, cinema.member(), cinema.steps_id)
    whole = shown.until(
        "seconds => video.buffered.length && video.buffered.end(0) > seconds - 0.1",
        argument=SECONDS,
    )
    ((first, last),) = whole.buffered
    assert first == pytest.approx(0, abs=0.05)
    assert last == pytest.approx(SECONDS, abs=0.1)
    # In the middle of a chunk, and on both sides of the seams at 4 and 8 seconds.
    for frame in (0, 33, 99, 100, 101, 150, 199, 200, 249):
        grey = shown.grey_at((frame + 0.5) * FRAME_SECONDS)
        assert grey == pytest.approx(clips.grey_of_step(frame), abs=5.5), f"frame {frame}"
    assert shown.state().fatal is None


def test_a_stranger_is_told_to_pay_and_sees_nothing(cinema: Cinema, shown: Screen) -> None:
    status, url = shown.ask(cinema.real_id, token_of(cinema.platform.fan()))
    assert (status, url) == (402, None)
    assert shown.state().frames == 0


def test_an_address_is_worth_nothing_when_the_right_is_revoked(
    cinema: Cinema, shown: Screen
) -> None:
    member = cinema.member()
    _, url = shown.ask(cinema.real_id, token_of(member))
    assert url is not None
    cinema.platform.revoke(member)
    shown.play(url)
    state = shown.until("() => fatal !== null")
    assert state.fatal == {"type": "networkError", "details": "manifestLoadError"}
    assert (state.frames, state.size, state.sound_bytes) == (0, (0, 0), 0)


def test_nothing_is_shown_where_the_key_is_withheld(cinema: Cinema, shown: Screen) -> None:
    shown.answer_keys(status=403)
    start(shown, cinema.member(), cinema.real_id)
    state = shown.until("() => fatal !== null")
    assert state.fatal == {"type": "networkError", "details": "keyLoadError"}
    assert (state.frames, state.size, state.sound_bytes) == (0, (0, 0), 0)


def test_nothing_is_shown_with_a_wrong_key(cinema: Cinema, shown: Screen) -> None:
    shown.answer_keys(status=200, body=bytes(16))
    start(shown, cinema.member(), cinema.real_id)
    state = shown.until("() => fatal !== null")
    assert (state.frames, state.sound_bytes) == (0, 0)
