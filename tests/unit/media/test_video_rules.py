"""Ladder, grid, chunks, passes, copy gate and stills, without any file."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.media.video import (
    Chunk,
    SampleStats,
    SegmentGrid,
    SourceVideo,
    VideoPolicy,
    chunks_for,
    grid_for,
    ladder_for,
    may_copy,
    moderation_sample_count,
    output_frame_rate,
    passes_for,
    pick_evenly,
    poster_order,
    sample_every_frames,
    sample_for_tile,
    storyboard_for,
)

POLICY = VideoPolicy()


def source(
    *,
    width: int = 1920,
    height: int = 1080,
    rate: Fraction | int = 30,
    seconds: float = 60,
    bitrate: int = 50_000_000,
    codec: str = "h264",
    is_irregular: bool = False,
) -> SourceVideo:
    return SourceVideo(
        container="mov",
        duration_ms=round(seconds * 1000),
        size_bytes=1,
        stream_index=0,
        codec=codec,
        width=width,
        height=height,
        frame_rate=Fraction(rate),
        frame_count=round(seconds * rate),
        bitrate=bitrate,
        coded_width=width,
        coded_height=height,
        variable_frame_rate=is_irregular,
    )


@pytest.mark.parametrize(
    ("width", "height", "rungs"),
    [
        (1920, 1080, {"240p": (426, 240), "480p": (854, 480), "1080p": (1920, 1080)}),
        (1080, 1920, {"240p": (240, 426), "720p": (720, 1280), "1080p": (1080, 1920)}),
        (3840, 2160, {"360p": (640, 360), "1080p": (1920, 1080)}),
        (1280, 720, {"240p": (426, 240), "720p": (1280, 720)}),
        (1920, 1072, {"1080p": (1920, 1072)}),
        (480, 270, {"240p": (426, 240)}),
        (176, 144, {"144p": (176, 144)}),
        (427, 241, {"240p": (426, 240)}),
        (33, 17, {"16p": (32, 16)}),
        (1, 1, {"2p": (2, 2)}),
        (10_000, 240, {"240p": (4096, 98)}),
    ],
)
def test_rungs_have_the_designs_sides(
    width: int, height: int, rungs: dict[str, tuple[int, int]]
) -> None:
    made = {
        r.name: (r.width, r.height) for r in ladder_for(source(width=width, height=height), POLICY)
    }
    assert rungs.items() <= made.items()
    assert list(made)[-1] == list(rungs)[-1]


@given(st.integers(1, 8000), st.integers(1, 8000), st.integers(1, 120), st.integers(1, 10**8))
@example(456, 6289, 1, 1_119_154)
def test_no_rung_is_odd_enlarged_or_out_of_order(
    width: int, height: int, rate: int, bitrate: int
) -> None:
    rungs = ladder_for(source(width=width, height=height, rate=rate, bitrate=bitrate), POLICY)
    assert rungs
    assert len({rung.name for rung in rungs}) == len(rungs)
    for rung in rungs:
        assert rung.width % 2 == rung.height % 2 == 0
        assert 2 <= rung.width <= max(2, width + 1)
        assert 2 <= rung.height <= max(2, height + 1)
        assert rung.bitrate <= rung.maxrate <= rung.buffer_bits
    assert [rung.pixels for rung in rungs] == sorted(rung.pixels for rung in rungs)
    assert [rung.bitrate for rung in rungs] == sorted(rung.bitrate for rung in rungs)


def test_bitrates_follow_bits_per_pixel() -> None:
    rungs = {rung.name: rung.bitrate for rung in ladder_for(source(), POLICY)}
    assert rungs["1080p"] == int(1920 * 1080 * 30 * 0.10)
    assert rungs["720p"] == int(1280 * 720 * 30 * 0.11)
    assert rungs["240p"] == int(426 * 240 * 30 * 0.17)


def test_no_rung_spends_more_than_the_source_is_worth() -> None:
    capped = ladder_for(source(bitrate=1_000_000), POLICY)
    assert max(rung.bitrate for rung in capped) == 1_300_000
    hevc = ladder_for(source(bitrate=1_000_000, codec="hevc"), POLICY)
    assert max(rung.bitrate for rung in hevc) == 2_080_000


def test_the_policy_bounds_the_top() -> None:
    rungs = ladder_for(source(width=3840, height=2160), VideoPolicy(short_side_max=2160))
    assert [rung.name for rung in rungs][-2:] == ["1440p", "2160p"]
    rungs = ladder_for(source(), VideoPolicy(short_side_max=480))
    assert [rung.name for rung in rungs] == ["240p", "360p", "480p"]


@pytest.mark.parametrize(
    ("rate", "is_irregular", "made"),
    [
        (Fraction(30000, 1001), False, Fraction(30000, 1001)),
        (25, False, 25),
        (60, False, 60),
        (120, False, 60),
        (100, False, 50),
        (240, False, 60),
        (Fraction(90000, 3749), False, 24),
        (Fraction(2997, 100), False, Fraction(30000, 1001)),
        (1, False, 10),
        (Fraction(15, 2), False, 15),
        (Fraction(133, 10), True, 15),
        (Fraction(2988, 100), True, Fraction(30000, 1001)),
        (Fraction(1000, 33), True, 30),
        (Fraction(1000, 83), True, 12),
        (18, False, 18),
        (1000, True, Fraction(60000, 1001)),
    ],
)
def test_output_rates(rate: Fraction | int, is_irregular: bool, made: Fraction | int) -> None:
    found = output_frame_rate(source(rate=rate, is_irregular=is_irregular), POLICY)
    assert found == made


@given(
    st.fractions(min_value=Fraction(1, 10), max_value=1000, max_denominator=100_000),
    st.integers(1, 4 * 3600 * 1000),
    st.booleans(),
)
def test_the_grid_is_exact_at_any_rate(rate: Fraction, duration_ms: int, irregular: bool) -> None:
    grid = grid_for(source(rate=rate, seconds=duration_ms / 1000, is_irregular=irregular), POLICY)
    assert 0 < grid.frame_rate <= 60
    assert grid.frames_per_segment == 2 * grid.frames_per_gop
    assert grid.ticks_per_frame * grid.frame_rate == grid.timescale
    assert grid.timescale < 2**31
    assert 3 < grid.frames_per_segment / grid.frame_rate < 5
    segments = range(grid.segment_count)
    assert sum(grid.frames_in(index) for index in segments) == grid.frame_count
    assert all(grid.frames_in(index) > 0 for index in segments)
    assert grid.frames_in(grid.segment_count) == 0
    assert abs(grid.duration_seconds * 1000 - duration_ms) <= 1000 / grid.frame_rate


@given(st.integers(1, 4 * 3600))
def test_chunks_cover_the_grid_without_gap_or_overlap(seconds: int) -> None:
    grid = grid_for(source(seconds=seconds), POLICY)
    chunks = chunks_for(grid, POLICY)
    assert chunks[0].start_segment == 0
    assert chunks[-1].end_segment is None
    for earlier, later in pairwise(chunks):
        assert earlier.end_segment == later.start_segment
        assert earlier.index + 1 == later.index
    lengths = [(c.end_segment or grid.segment_count) - c.start_segment for c in chunks]
    assert all(length > 0 for length in lengths)
    if seconds > POLICY.chunk_threshold_seconds:
        assert all(7 <= length <= 23 for length in lengths)


def test_short_videos_are_one_chunk_and_one_pass() -> None:
    short = source(seconds=90)
    grid = grid_for(short, POLICY)
    rungs = ladder_for(short, POLICY)
    assert chunks_for(grid, POLICY) == (Chunk(0, 0, None),)
    assert passes_for(rungs, grid, POLICY) == (rungs,)


def test_long_videos_become_playable_at_the_first_rung_fit_to_watch() -> None:
    long = source(seconds=600)
    grid = grid_for(long, POLICY)
    first, rest = passes_for(ladder_for(long, POLICY), grid, POLICY)
    assert [rung.name for rung in first] == ["360p"]
    assert [rung.name for rung in rest] == ["240p", "480p", "720p", "1080p"]
    assert len(chunks_for(grid, POLICY)) == 10
    small = source(seconds=600, width=320, height=240)
    assert len(passes_for(ladder_for(small, POLICY), grid, POLICY)) == 1


def test_only_what_we_would_have_made_may_be_copied() -> None:
    fits = replace(source(rate=25, bitrate=5_000_000), keyframe_period_frames=50)
    grid = grid_for(fits, POLICY)
    rung = ladder_for(fits, POLICY)[-1]
    assert may_copy(fits, rung, grid, has_watermark=False, is_clean=True)
    assert not may_copy(fits, rung, grid, has_watermark=True, is_clean=True)
    assert not may_copy(fits, rung, grid, has_watermark=False, is_clean=False), "not scanned"
    for change in (
        {"codec": "hevc"},
        {"pixel_format": "yuv444p"},
        {"is_turned": True},
        {"interlaced": True},
        {"keyframe_period_frames": 0},
        {"keyframe_period_frames": 60},
        {"bitrate": rung.bitrate + 1},
        {"variable_frame_rate": True},
        {"has_square_pixels": False},
        {"starts_at_zero": False},
        {"frame_count": grid.frame_count + 1},
        {"container": "matroska"},
        {"width": 1918},
    ):
        other = replace(fits, **change)
        assert not may_copy(other, rung, grid, has_watermark=False, is_clean=True), change


def grid_of(frames: int, rate: int = 25) -> SegmentGrid:
    return SegmentGrid(Fraction(rate), 4 * rate, 2 * rate, frames)


@pytest.mark.parametrize(
    ("frames", "every"),
    [(1, 1), (49, 1), (50, 1), (250, 5), (25 * 100, 25), (25 * 3600, 750)],
)
def test_samples_suffice_for_tiles_and_for_moderation(frames: int, every: int) -> None:
    grid = grid_of(frames)
    assert sample_every_frames(grid, POLICY) == every
    samples = -(-frames // every)
    assert samples >= min(frames, 50)
    assert samples >= min(frames, moderation_sample_count(grid, POLICY))


def test_tiles_are_spread_over_sheets_and_time() -> None:
    long = storyboard_for(
        grid_of(25 * 3600), width=1280, height=720, sample_count=120, policy=POLICY
    )
    assert (len(long.tiles), long.sheet_count) == (100, 2)
    assert long.tiles[0].start_ms == 0
    assert long.tiles[-1].end_ms == 3_600_000
    assert all(a.end_ms == b.start_ms for a, b in pairwise(long.tiles))
    assert len({(tile.sheet, tile.x, tile.y) for tile in long.tiles}) == 100
    one = storyboard_for(grid_of(1), width=9, height=16, sample_count=1, policy=POLICY)
    assert (len(one.tiles), one.sheet_size(0)) == (1, (160, 284))
    assert sample_for_tile(one.tiles[0], [0]) == 0


@given(st.lists(st.integers(), max_size=300), st.integers(1, 150))
def test_picking_evenly_keeps_order_and_count(items: list[int], count: int) -> None:
    numbered = list(enumerate(items))
    picked = pick_evenly(numbered, count)
    assert len(picked) == min(count, len(items))
    assert list(picked) == sorted(set(picked))


def test_posters_avoid_blanks_and_edges() -> None:
    black, white = SampleStats(5000, 2, 1), SampleStats(5100, 250, 3)
    edge, middle = SampleStats(100, 120, 60), SampleStats(5500, 120, 50)
    ordered = poster_order([black, edge, white, middle], duration_ms=10_000)
    assert ordered[:2] == (middle, edge)
    assert set(ordered[2:]) == {black, white}
