"""Videos: what is published of an upload, played as a fan's player plays it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.media import clips
from tests.e2e.media.person import Json, Person, fetch, fetched
from tests.e2e.media.pictures import Pixels, detail, pixels_of
from tests.e2e.media.platform import Platform
from tests.e2e.media.watching import (
    CannotPlay,
    Master,
    frames_of,
    listen,
    master_of,
    pitch_of,
    stream_of,
    watch,
)
from tests.integration.media.video_clips import evenly

pytestmark = pytest.mark.timeout(400)

NEAR = 8
"""Steps of 255 by which an encode may miss a flat colour."""
REAL_SECONDS = 5.312
"""Of the real clip, as its container has it."""
TEASER = {"start_seconds": 1, "duration_seconds": 2}


@dataclass(frozen=True)
class Published:
    """A ready video, and its playlists as its owner gets them."""

    media: Json
    master: Master

    @property
    def id(self) -> str:
        return str(self.media["id"])

    def still(self, name: str) -> Pixels:
        return pixels_of(fetched(self.rendition(name)["url"]))

    def rendition(self, name: str) -> Json:
        (found,) = [each for each in self.media["renditions"] if each["name"] == name]
        assert isinstance(found, dict)
        return found


@dataclass(frozen=True)
class Reel:
    """Everything this module looks at, ingested at once."""

    owner: Person
    videos: dict[str, Published]

    def __getitem__(self, name: str) -> Published:
        return self.videos[name]


@pytest.fixture(scope="module")
def reel(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Reel:
    folder = tmp_path_factory.mktemp("reel")
    owner = platform.creator("mia.films")
    ids = {
        "real": owner.upload(clips.real(), teaser=TEASER),
        "dark": owner.upload(clips.dark_in_the_middle(folder)),
        "letters": owner.upload(clips.letters(folder)),
        "flat": owner.upload(clips.flat(folder), watermark=True, teaser=TEASER),
        "hdr": owner.upload(clips.hdr(folder)),
        "upright": owner.upload(clips.on_its_side(folder)),
        "odd": owner.upload(clips.odd(folder)),
    }
    videos = {}
    for name, media_id in ids.items():
        media = owner.ready(media_id)
        videos[name] = Published(media, master_of(owner, media_id))
    return Reel(owner, videos)


# --- rungs and playlists ---------------------------------------------------------------------


def test_every_rung_plays_to_its_end_through_signed_addresses(reel: Reel) -> None:
    real = reel["real"]
    assert real.master.sizes == [(426, 240), (640, 360)]
    for rung in real.master.rungs:
        shown = watch(rung.url)
        assert shown == pytest.approx(evenly(132, 25), abs=1e-4)
        assert len(shown) / 25 == pytest.approx(REAL_SECONDS, rel=0.01)
    (sound,) = real.master.sounds
    assert listen(sound.url) == pytest.approx(REAL_SECONDS, rel=0.01)


def test_segments_of_all_rungs_lie_on_one_grid_of_the_sources_length(reel: Reel) -> None:
    real = reel["real"]
    low, high = real.master.rungs
    (sound,) = real.master.sounds
    assert [each.seconds for each in low.segments] == [each.seconds for each in high.segments]
    assert len(sound.segments) == len(low.segments) == 2
    assert sound.segments[0].seconds == pytest.approx(low.segments[0].seconds, abs=0.03)
    for stream in (low, high, sound):
        assert stream.seconds == pytest.approx(REAL_SECONDS, rel=0.01)
        addresses = [stream.init_url, *(each.url for each in stream.segments)]
        assert all("X-Amz-Signature=" in address for address in addresses)


def test_the_master_tells_of_each_rung_what_is_in_it(reel: Reel) -> None:
    master = reel["real"].master
    (sound,) = master.sounds
    sound_bytes = sum(len(fetched(each.url)) for each in sound.segments)
    for rung in master.rungs:
        told = rung.attributes
        stream = stream_of(rung.url)
        assert rung.size == (stream["width"], stream["height"])
        head = fetched(rung.init_url)
        profile = head[head.index(b"avcC") + 5 :][:3].hex()
        assert told["CODECS"] == f"avc1.{profile},mp4a.40.2"
        assert float(told["FRAME-RATE"]) == 25 == Fraction(stream["avg_frame_rate"])
        video_bytes = sum(len(fetched(each.url)) for each in rung.segments)
        average = 8 * (video_bytes / rung.seconds + sound_bytes / sound.seconds)
        assert int(told["AVERAGE-BANDWIDTH"]) == pytest.approx(average, rel=0.05)
        assert int(told["BANDWIDTH"]) >= int(told["AVERAGE-BANDWIDTH"])
        assert told["AUDIO"] == sound.attributes["GROUP-ID"]
    low, high = (int(rung.attributes["AVERAGE-BANDWIDTH"]) for rung in master.rungs)
    assert low < high


def test_sound_in_51_is_played_in_stereo(reel: Reel) -> None:
    (sound,) = reel["real"].master.sounds
    stream = stream_of(sound.url)
    assert (stream["codec_name"], stream["channels"], stream["sample_rate"]) == ("aac", 2, "48000")
    assert sound.attributes["CHANNELS"] == "2"


# --- who can play ------------------------------------------------------------------------------


def test_nothing_plays_without_the_key(reel: Reel, tmp_path: Path) -> None:
    real = reel["real"]
    for stream in (*real.master.rungs, *real.master.sounds):
        play = listen if stream in real.master.sounds else watch
        key = fetched(stream.key_url)
        assert play(stream.saved(tmp_path, key=key)), "with the key it plays"
        for wrong in (bytes(16), None):
            try:
                played = play(stream.saved(tmp_path, key=wrong))
            except CannotPlay:
                played = None
            assert not played, f"{stream.url} plays with the key {wrong!r}"


def test_a_revoked_right_ends_playing_though_every_address_is_known(
    reel: Reel, platform: Platform
) -> None:
    fan = platform.fan()
    fan.call("POST", f"/media/{reel['real'].id}/playback", status=402)
    platform.entitle(fan, reel.owner)
    rung = master_of(fan, reel["real"].id).rungs[0]
    assert len(watch(rung.url)) == 132
    platform.revoke(fan)
    assert fetch(rung.key_url).status_code == 402
    with pytest.raises(CannotPlay, match="4XX"):
        watch(rung.url)
    sealed = fetched(rung.segments[0].url)
    assert sealed[4:8] not in (b"moof", b"styp", b"ftyp"), "what storage still hands out is sealed"


def test_a_stranger_sees_blur_and_teaser_and_nothing_else(reel: Reel, platform: Platform) -> None:
    seen = platform.fan().media(reel["real"].id)
    assert {each["kind"] for each in seen["renditions"]} == {"poster_blur", "teaser"}
    stored = platform.stored(reel["real"].id)
    assert {key.rpartition("/")[2] for key in stored["public"]} == {
        "poster_blur.webp",
        "poster_blur.jpg",
        "teaser.mp4",
    }
    assert stored["work"] == []
    for each in reel["real"].media["renditions"]:
        if each["url"] is not None:
            is_open = fetch(each["url"].partition("?")[0]).status_code == 200
            assert is_open is (each["kind"] in ("poster_blur", "teaser")), each["name"]


# --- stills and teaser ---------------------------------------------------------------------------


def test_the_poster_shows_a_lit_moment_though_the_middle_is_black(reel: Reel) -> None:
    for name in ("poster.webp", "poster.jpg"):
        poster = reel["dark"].still(name)
        assert poster.shape[:2] == (360, 640)
        assert poster.std() > 30
        assert poster[10:80].mean() > 40, "the coloured ground around the picture"


def test_words_can_not_be_read_in_the_blurred_poster(reel: Reel) -> None:
    clear = reel["letters"].still("poster.jpg")
    blurred = reel["letters"].still("poster_blur.jpg")
    high, wide, _ = blurred.shape
    assert wide == 64
    rows = np.linspace(0, clear.shape[0] - 1, high).astype(int)
    columns = np.linspace(0, clear.shape[1] - 1, wide).astype(int)
    assert detail(clear[rows][:, columns]) > 20, "the video has no detail to hide"
    assert detail(blurred) < 3


def test_storyboard_tiles_show_their_time_without_a_gap(reel: Reel) -> None:
    url = reel.owner.playback(reel["dark"].id)["storyboard_url"]
    text = fetched(url).decode()
    cues = re.findall(r"([\d:.]+) --> ([\d:.]+)\n(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)", text)
    starts, ends = ([clock(cue[n]) for cue in cues] for n in (0, 1))
    assert len(cues) == 50
    assert starts[0] == 0
    assert starts[1:] == ends[:-1]
    assert ends[-1] == pytest.approx(6, abs=0.05)
    sheets = {address: pixels_of(fetched(address)) for address in {cue[2] for cue in cues}}
    for start, end, cue in zip(starts, ends, cues, strict=True):
        x, y, wide, high = map(int, cue[3:])
        edge = sheets[cue[2]][y + 4 : y + high // 6, x + 4 : x + wide - 4]
        assert edge.size, "the tile lies outside its sheet"
        if all(abs((start + end) / 2 - change) > 0.2 for change in (2, 4)):
            red, _, blue = edge.mean(axis=(0, 1))
            expected = (True, False) if end < 2 else (False, start > 4)
            assert (red > 100, blue > 100) == expected, f"{start} s"


def clock(text: str) -> float:
    hours, minutes, seconds = text.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def test_the_teaser_is_a_clear_file_of_the_part_that_was_chosen(reel: Reel) -> None:
    teaser = reel["real"].rendition("teaser.mp4")
    bare = teaser["url"].partition("?")[0]
    assert len(watch(bare)) == 50
    assert listen(bare) == pytest.approx(2, abs=0.05)
    size = (teaser["width"], teaser["height"])
    first = frames_of(bare, size=size, select="eq(n,0)")[0]
    rung = reel["real"].master.rungs[-1]
    wanted, wrong = frames_of(rung.url, size=size, select="eq(n,25)+eq(n,75)")
    assert np.abs(first - wanted).mean() * 3 < np.abs(first - wrong).mean()


# --- watermark -----------------------------------------------------------------------------------


def test_the_watermark_is_on_every_rung_teaser_and_poster_and_only_in_its_corner(
    reel: Reel,
) -> None:
    flat = reel["flat"]
    shown = {rung.attributes["RESOLUTION"]: rung for rung in flat.master.rungs}
    pictures = {
        name: frames_of(rung.url, size=rung.size, select="eq(n,0)+eq(n,40)+eq(n,74)")
        for name, rung in shown.items()
    }
    teaser = flat.rendition("teaser.mp4")
    size = (teaser["width"], teaser["height"])
    pictures["teaser"] = frames_of(teaser["url"], size=size, select="eq(n,25)")
    pictures["poster"] = flat.still("poster.jpg")[np.newaxis]
    assert len(pictures) == 4
    for name, frames in pictures.items():
        for frame in frames:
            away = np.abs(frame - clips.GREY).max(axis=2)
            high, wide = away.shape
            mark = away[high * 80 // 100 :, wide * 45 // 100 :]
            assert mark.max() > 80, f"{name}: the mark can't be told from its ground"
            assert (mark > 50).sum() > 60, f"{name}: the mark is only a few points"
            away[high * 80 // 100 :, wide * 45 // 100 :] = 0
            assert away.max() <= NEAR, f"{name}: something is laid over the rest"


# --- sources out of the ordinary -------------------------------------------------------------


def test_hdr_is_brought_to_the_range_of_a_plain_screen(reel: Reel) -> None:
    rung = reel["hdr"].master.rungs[-1]
    (frame,) = frames_of(rung.url, size=rung.size, select="eq(n,5)")
    middles = [frame[180, (2 * place + 1) * 80] for place in range(len(clips.LIGHTS_NITS))]
    shade, white, lamp, red = (middle.astype(int) for middle in middles)
    for neutral in (shade, white, lamp):
        assert np.ptp(neutral) <= NEAR, f"a neutral field got a tint: {neutral}"
    assert shade.mean() + 40 < white.mean() < lamp.mean() - 10
    assert white.mean() > 120, "white is not dark"
    assert lamp.mean() < 254, "a lamp keeps its shape"
    assert red[0] > red[1] + 80 and red[0] > red[2] + 80, "a wide gamut read as a plain one is pale"


def test_a_clip_stored_on_its_side_plays_upright(reel: Reel) -> None:
    upright = reel["upright"]
    assert (upright.media["width"], upright.media["height"]) == (480, 640)
    assert sorted(upright.master.sizes) == [(240, 320), (360, 480)]
    for rung in upright.master.rungs:
        (frame,) = frames_of(rung.url, size=rung.size, select="eq(n,10)")
        high, wide, _ = frame.shape
        assert np.abs(frame[high // 4, wide // 2] - clips.TOP).max() <= NEAR
        assert np.abs(frame[high * 3 // 4, wide // 2] - clips.BOTTOM).max() <= NEAR
    poster = upright.still("poster.jpg")
    assert poster.shape[:2] == (640, 480)
    assert np.abs(poster[100, 240] - clips.TOP).max() <= NEAR


def test_of_several_sound_tracks_the_default_one_is_played(reel: Reel) -> None:
    (sound,) = reel["upright"].master.sounds
    assert sound.attributes["LANGUAGE"] == "deu"
    assert sound.attributes["DEFAULT"] == "YES"
    assert pitch_of(sound.url) == pytest.approx(clips.TONES_HZ[1], rel=0.01)


def test_odd_sides_and_irregular_frames_play_evenly_and_without_sound(reel: Reel) -> None:
    odd = reel["odd"]
    assert (odd.media["width"], odd.media["height"]) == (427, 241)
    assert odd.master.sounds == ()
    (rung,) = odd.master.rungs
    assert rung.size == (426, 240)
    assert rung.attributes["CODECS"].count(",") == 0
    assert "AUDIO" not in rung.attributes
    assert watch(rung.url) == pytest.approx(evenly(90, 30), abs=1e-4)
