"""Posters, storyboards and teasers."""

from __future__ import annotations

from pathlib import Path

import pytest
import pyvips

from domain.media.audio import AudioPolicy, Loudness
from domain.media.hls import storyboard_vtt
from domain.media.video import grid_for, ladder_for, storyboard_cues, storyboard_for
from infra.video import (
    Sample,
    Watermark,
    choose_poster,
    make_teaser,
    poster_frame,
    sample_stats,
    storyboard_sheets,
)
from tests.integration.media.video_clips import (
    FAST_H264,
    POLICY,
    TOOLS,
    Encoded,
    encode,
    ffmpeg,
    ffprobe,
    picture,
    probed_video,
    tone,
)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """8 s: black, then a picture from 3 s to 5 s, then black again; with sound."""
    path = tmp_path_factory.mktemp("stills") / "clip.mp4"
    dark = "drawbox=color=black:t=fill:enable='not(between(t,3,5))'"
    ffmpeg(*picture(8), *tone(8), "-vf", dark, *FAST_H264, "-g", "50", path)
    return path


@pytest.fixture(scope="module")
def encoded(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Encoded:
    return encode(clip, tmp_path_factory.mktemp("encoded"), sample_every_frames=4)


def deviation(path: Path) -> float:
    return float(pyvips.Image.new_from_file(str(path)).colourspace("b-w").deviate())


def test_the_poster_is_not_black_and_lies_near_the_middle(clip: Path, encoded: Encoded) -> None:
    sample = choose_poster(encoded.samples, duration_ms=8000)
    assert 3000 <= sample.timestamp_ms <= 5000
    assert abs(sample.timestamp_ms - 4000) < 700
    rung = ladder_for(encoded.source, POLICY)[-1]
    path = poster_frame(
        source=clip,
        facts=encoded.source,
        sample=sample,
        size=(rung.width, rung.height),
        tools=TOOLS,
        work_dir=encoded.folder,
    )
    image = pyvips.Image.new_from_file(str(path))
    assert (image.width, image.height) == (426, 240)
    assert deviation(path) > 30
    small = pyvips.Image.new_from_file(str(sample.path)).colourspace("b-w")
    large = image.colourspace("b-w").thumbnail_image(small.width, height=small.height, size="force")
    assert (large - small).abs().avg() < 6, "it shows the moment that was chosen"


def test_all_black_still_gets_a_poster(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.jpg" for number in range(3)]
    for path in paths:
        pyvips.Image.black(64, 36, bands=3).copy(interpretation="srgb").jpegsave(str(path))
    samples = [Sample(number * 1000, path) for number, path in enumerate(paths)]
    assert choose_poster(samples, duration_ms=3000) in samples
    assert all(stats.is_blank for stats in sample_stats(samples))


def test_a_wrong_time_falls_back_to_the_sample(tmp_path: Path, encoded: Encoded) -> None:
    broken = tmp_path / "gone.mp4"
    broken.write_bytes(b"nothing of a video")
    sample = encoded.samples[0]
    path = poster_frame(
        source=broken,
        facts=encoded.source,
        sample=sample,
        size=(426, 240),
        tools=TOOLS,
        work_dir=tmp_path,
    )
    assert path == sample.path


def test_the_storyboard_shows_the_right_moment_in_each_tile(
    tmp_path: Path, encoded: Encoded
) -> None:
    grid = grid_for(encoded.source, POLICY)
    plan = storyboard_for(
        grid, width=426, height=240, sample_count=len(encoded.samples), policy=POLICY
    )
    assert (len(plan.tiles), plan.sheet_count) == (50, 1)
    (sheet,) = storyboard_sheets(encoded.samples, plan, folder=tmp_path)
    image = pyvips.Image.new_from_file(str(sheet)).colourspace("b-w")
    assert (image.width, image.height) == plan.sheet_size(0) == (1600, 450)
    for tile in plan.tiles:
        is_lit = (
            image.crop(tile.x + 8, tile.y + 8, plan.tile_width - 16, plan.tile_height - 16).avg()
            > 20
        )
        middle = (tile.start_ms + tile.end_ms) / 2
        if abs(middle - 3000) > 250 and abs(middle - 5000) > 250:
            assert is_lit == (3000 < middle < 5000), tile
    text = storyboard_vtt(storyboard_cues(plan, ["sheet-0.jpg"]))
    assert text.count("-->") == 50
    assert "00:00:07.840 --> 00:00:08.000\nsheet-0.jpg#xywh=1440,360,160,90" in text


def test_a_teaser_is_short_clear_marked_and_starts_at_once(tmp_path: Path, clip: Path) -> None:
    mark = tmp_path / "mark.png"
    ffmpeg("-f", "lavfi", "-i", "color=lime:s=200x40", "-frames:v", "1", mark)
    source = probed_video(clip, tmp_path)
    path = make_teaser(
        source=clip,
        facts=source,
        grid=grid_for(source, POLICY),
        rung=ladder_for(source, POLICY)[0],
        start_ms=3100,
        duration_ms=1500,
        watermark=Watermark(mark, height_bps=2000),
        measured=Loudness(-21.0, -18.0, 0.0, -31.0),
        audio_policy=AudioPolicy(),
        tools=TOOLS,
        work_dir=tmp_path,
    )
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    streams = ffprobe(path, "-show_streams")["streams"]
    assert [stream["codec_name"] for stream in streams] == ["h264", "aac"]
    for stream in streams:
        assert float(stream["duration"]) == pytest.approx(1.5, abs=0.05)
        assert float(stream["start_time"]) == 0
    frame = tmp_path / "frame.png"
    ffmpeg("-i", path, "-frames:v", "1", frame)
    image = pyvips.Image.new_from_file(str(frame))
    red, green, blue = image(image.width - 10, image.height - 10)[:3]
    assert green > 150 and red < 80 and blue < 80
    assert image.colourspace("b-w").deviate() > 30, "it starts where it was asked to"


def test_a_teaser_longer_than_its_video_is_the_video(tmp_path: Path) -> None:
    path = tmp_path / "short.mp4"
    ffmpeg(*picture(0.4, size="320x240"), *FAST_H264, path)
    source = probed_video(path, tmp_path)
    teaser = make_teaser(
        source=path,
        facts=source,
        grid=grid_for(source, POLICY),
        rung=ladder_for(source, POLICY)[0],
        start_ms=9000,
        duration_ms=30_000,
        watermark=None,
        measured=None,
        audio_policy=AudioPolicy(),
        tools=TOOLS,
        work_dir=tmp_path,
    )
    (stream,) = ffprobe(teaser, "-show_streams")["streams"]
    assert int(stream["nb_frames"]) == 10
