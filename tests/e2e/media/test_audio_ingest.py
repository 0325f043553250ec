"""Recordings: what a listener hears of them, how loud, and what a player draws."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.media import pictures
from tests.e2e.media.person import Json, Person, SourceFile, fetch, fetched
from tests.e2e.media.platform import Platform
from tests.e2e.media.watching import CannotPlay, Stream, listen, master_of, stream_of
from tests.integration.media.video_clips import ffmpeg, tone

pytestmark = pytest.mark.timeout(300)

SECONDS = 6
TARGET_LUFS, NEAR_LU = -16.0, 1.0
PEAK_DBTP = -1.0
"""The target is -1.5; an encoder may overshoot a little."""
SILENT_LUFS = -60.0


@dataclass(frozen=True)
class Loudness:
    lufs: float
    true_peak_dbtp: float


@dataclass(frozen=True)
class Concert:
    """Every recording of this module, ready."""

    owner: Person
    media: dict[str, Json]

    def streams(self, name: str) -> dict[str, Stream]:
        """By codec."""
        streams = master_of(self.owner, self.media[name]["id"]).rungs
        return {each.attributes["CODECS"].partition(".")[0]: each for each in streams}

    def waveform(self, name: str) -> Json:
        (each,) = [it for it in self.media[name]["renditions"] if it["kind"] == "waveform"]
        drawn: Json = json.loads(fetched(each["url"]))
        return drawn


def _noise(level: str) -> tuple[str, ...]:
    """Pink noise, which lies near music in how it fills the spectrum; 0 to 1."""
    return ("-f", "lavfi", "-i", f"anoisesrc=c=pink:d={SECONDS}:r=44100:a={level}:seed=5")


def _quiet(path: Path) -> None:
    ffmpeg(*_noise("0.02"), "-ac", "2", path)


def _loud(path: Path) -> None:
    ffmpeg(*_noise("1"), "-af", "volume=6dB", "-ac", "1", path)


def _silent(path: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "anullsrc=r=48000:cl=stereo", "-t", str(SECONDS), path)


def _half(path: Path) -> None:
    ffmpeg(*tone(SECONDS), "-af", f"volume=0:enable='lt(t,{SECONDS / 2})'", path)


def _room(path: Path) -> None:
    ffmpeg(*_noise("0.0006"), "-ac", "2", path)


def _with_cover(path: Path) -> None:
    cover = pictures.save(path.parent, "cover.jpg", pictures.photo(120).content)
    as_cover = ("-map", "0", "-map", "1", "-c:v", "copy", "-disposition:v", "attached_pic")
    ffmpeg(*tone(SECONDS), "-i", cover, *as_cover, path)


def _sound_alone(path: Path) -> None:
    ffmpeg(*tone(SECONDS), path)


RECORDINGS: dict[str, tuple[str, str, Callable[[Path], None]]] = {
    "quiet": ("quiet.flac", "audio/flac", _quiet),
    "loud": ("loud.mp3", "audio/mpeg", _loud),
    "silent": ("silent.wav", "audio/wav", _silent),
    "room": ("room.flac", "audio/flac", _room),
    "half": ("half.ogg", "audio/ogg", _half),
    "cover": ("song.m4a", "audio/mp4", _with_cover),
    "film without pictures": ("film.mp4", "video/mp4", _sound_alone),
}
EACH = pytest.mark.parametrize("name", RECORDINGS)


@pytest.fixture(scope="module")
def concert(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Concert:
    folder = tmp_path_factory.mktemp("recordings")
    owner = platform.creator("otto.sings")
    ids: dict[str, str] = {}
    for name, (file_name, content_type, make) in RECORDINGS.items():
        path = folder / file_name
        make(path)
        ids[name] = owner.upload(SourceFile(file_name, path.read_bytes(), content_type))
    return Concert(owner, {name: owner.ready(media_id) for name, media_id in ids.items()})


@EACH
def test_it_plays_whole_in_aac_and_in_opus(concert: Concert, name: str) -> None:
    media = concert.media[name]
    assert media["kind"] == "audio"
    assert media["duration_seconds"] == pytest.approx(SECONDS, abs=0.1)
    streams = concert.streams(name)
    assert streams.keys() == {"mp4a", "opus"}
    for codec, stream in streams.items():
        found = stream_of(stream.url)
        assert found["codec_name"] == {"mp4a": "aac", "opus": "opus"}[codec]
        assert (found["sample_rate"], found["channels"]) == ("48000", 2)
        assert listen(stream.url) == pytest.approx(SECONDS, abs=0.1)


@pytest.mark.parametrize("name", ["quiet", "loud"])
def test_it_is_brought_to_the_loudness_of_everything_else(
    concert: Concert, name: str, tmp_path: Path
) -> None:
    file_name, _, make = RECORDINGS[name]
    make(tmp_path / file_name)
    source = _loudness(tmp_path / file_name)
    assert abs(source.lufs - TARGET_LUFS) > 5, "the source is as it should be already"
    for codec, stream in concert.streams(name).items():
        heard = _loudness(stream.url)
        assert heard.lufs == pytest.approx(TARGET_LUFS, abs=NEAR_LU), codec
        assert heard.true_peak_dbtp <= PEAK_DBTP, codec


@pytest.mark.parametrize("name", ["silent", "room"])
def test_silence_is_left_alone(concert: Concert, platform: Platform, name: str) -> None:
    sound = platform.row(concert.media[name]["id"]).facts["sound"]
    assert (sound["treatment"], sound["gain_db"]) == ("nothing", 0)
    for stream in concert.streams(name).values():
        assert _loudness(stream.url).lufs < SILENT_LUFS


def _loudness(source: str | Path) -> Loudness:
    """As EBU R 128 measures it."""
    reading: tuple[str, ...] = ("-protocol_whitelist", "file,http,tcp,crypto", "-i", str(source))
    if str(source).partition("?")[0].endswith(".m3u8"):
        reading = ("-allowed_extensions", "ALL", *reading)
    measuring = ("-af", "ebur128=peak=true", "-f", "null", "-")
    done = subprocess.run(
        ["ffmpeg", "-nostdin", "-hide_banner", *reading, *measuring],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"no_proxy": "*"},
    )
    summary = done.stderr[done.stderr.rindex("Summary:") :]
    lufs = re.search(r"I:\s+(\S+) LUFS", summary)
    peak = re.search(r"Peak:\s+(\S+) dBFS", summary)
    assert lufs and peak, summary
    return Loudness(float(lufs[1]), float(peak[1]))


def test_the_waveform_rises_where_the_sound_begins(concert: Concert) -> None:
    drawn = concert.waveform("half")
    assert (drawn["version"], drawn["channels"], drawn["bits"]) == (2, 1, 8)
    pairs = len(drawn["data"]) // 2
    assert drawn["length"] == pairs
    assert 900 <= pairs <= 1000
    assert pairs * drawn["samples_per_pixel"] / drawn["sample_rate"] == pytest.approx(
        SECONDS, abs=0.1
    )
    lows, highs = drawn["data"][::2], drawn["data"][1::2]
    heights = [high - low for low, high in zip(lows, highs, strict=True)]
    middle = pairs // 2
    assert max(heights[: middle - 5]) <= 1
    assert min(heights[middle + 5 : -5]) > 20


def test_silence_is_drawn_flat(concert: Concert) -> None:
    assert set(concert.waveform("silent")["data"]) <= {-1, 0}


def test_a_stranger_hears_and_sees_nothing_and_a_fan_everything(
    concert: Concert, platform: Platform
) -> None:
    media_id = concert.media["loud"]["id"]
    fan = platform.fan()
    locked = fan.media(media_id)
    assert (locked["access"]["allowed"], locked["renditions"]) == (False, [])
    fan.call("POST", f"/media/{media_id}/playback", status=402)
    platform.entitle(fan, concert.owner)
    assert {each["kind"] for each in fan.playback(media_id)["renditions"]} >= {"waveform"}
    for stream in master_of(fan, media_id).rungs:
        assert listen(stream.url) == pytest.approx(SECONDS, abs=0.1)


def test_nothing_plays_without_the_key(concert: Concert, tmp_path: Path) -> None:
    stream = concert.streams("loud")["mp4a"]
    assert b"moof" not in fetched(stream.segments[0].url)
    right = fetched(stream.key_url)
    assert listen(stream.saved(tmp_path, key=right)) == pytest.approx(SECONDS, abs=0.1)
    for wrong in (None, bytes(16)):
        assert _heard(stream.saved(tmp_path, key=wrong)) == 0
    assert fetch(stream.key_url.partition("?")[0]).status_code in (401, 403, 422)


def _heard(source: Path) -> float:
    """Seconds of sound; a player may give up on noise, or find nothing in it to play."""
    try:
        return listen(source)
    except CannotPlay:
        return 0


def test_of_a_song_with_a_cover_only_the_sound_is_published(
    concert: Concert, platform: Platform
) -> None:
    media_id = concert.media["cover"]["id"]
    assert {each.kind for each in platform.renditions(media_id)} == {"audio", "waveform"}
    stored = platform.stored(media_id)
    assert (stored["work"], stored["public"]) == ([], [])
