"""Which frames are sampled, which become tiles, and which one is the poster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import TypeVar

from domain.media.hls import StoryboardCue
from domain.media.video.grid import SegmentGrid
from domain.media.video.ladder import VideoPolicy

_T = TypeVar("_T")

SAMPLE_WIDTH = 320
_SHEET_COLUMNS = 10
_SHEET_ROWS = 5

# Of 8-bit luma. Below the first a picture says nothing; outside the others it is black or white.
_DEVIATION_MIN = 6.0
_MEAN_MIN = 18.0
_MEAN_MAX = 240.0


@dataclass(frozen=True)
class SampleStats:
    """Luma of one sampled frame: mean and standard deviation, 0 to 255."""

    timestamp_ms: int
    mean: float
    deviation: float

    @property
    def is_blank(self) -> bool:
        return self.deviation < _DEVIATION_MIN or not _MEAN_MIN <= self.mean <= _MEAN_MAX


@dataclass(frozen=True)
class Tile:
    """One tile of the storyboard: shown from `start_ms` to `end_ms`, at a place of a sheet."""

    start_ms: int
    end_ms: int
    sheet: int
    x: int
    y: int


@dataclass(frozen=True)
class StoryboardPlan:
    """Tiles in the order of time. A sheet has 10 columns and up to 5 rows."""

    tile_width: int
    tile_height: int
    tiles: tuple[Tile, ...]

    @property
    def sheet_count(self) -> int:
        return self.tiles[-1].sheet + 1

    def sheet_size(self, sheet: int) -> tuple[int, int]:
        """Width and height of a sheet in pixels; the last one is no larger than its tiles."""
        mine = [tile for tile in self.tiles if tile.sheet == sheet]
        return (
            max(tile.x for tile in mine) + self.tile_width,
            max(tile.y for tile in mine) + self.tile_height,
        )


def sample_every_frames(grid: SegmentGrid, policy: VideoPolicy) -> int:
    """How many frames lie between two samples.

    Dense enough for the storyboard's tiles and for moderation's one a second, up to its cap;
    there may be nearly twice as many, of which `pick_evenly` takes the wanted number.
    """
    seconds = ceil(grid.duration_seconds)
    wanted = max(_tiles_wanted(grid, policy), min(seconds, policy.sample_frames_max))
    return max(1, grid.frame_count // wanted)


def _tiles_wanted(grid: SegmentGrid, policy: VideoPolicy) -> int:
    is_long = grid.duration_seconds >= policy.storyboard_long_seconds
    return policy.storyboard_tiles_long if is_long else policy.storyboard_tiles_short


def storyboard_for(
    grid: SegmentGrid, *, width: int, height: int, sample_count: int, policy: VideoPolicy
) -> StoryboardPlan:
    """Tiles of equal time, as many as the samples allow.

    Args:
        width, height: of the picture; tiles have its shape.
        sample_count: how many sampled frames there are, at least 1.
    """
    count = max(1, min(_tiles_wanted(grid, policy), sample_count))
    duration_ms = Fraction(grid.frame_count * 1000) / grid.frame_rate
    tile_width = policy.storyboard_tile_width
    tile_height = max(1, round(tile_width * height / width))
    tiles = []
    for index in range(count):
        place = index % (_SHEET_COLUMNS * _SHEET_ROWS)
        tiles.append(
            Tile(
                start_ms=round(duration_ms * index / count),
                end_ms=round(duration_ms * (index + 1) / count),
                sheet=index // (_SHEET_COLUMNS * _SHEET_ROWS),
                x=place % _SHEET_COLUMNS * tile_width,
                y=place // _SHEET_COLUMNS * tile_height,
            )
        )
    return StoryboardPlan(tile_width=tile_width, tile_height=tile_height, tiles=tuple(tiles))


def storyboard_cues(plan: StoryboardPlan, sheet_uris: Sequence[str]) -> tuple[StoryboardCue, ...]:
    """The plan as cues for `storyboard_vtt`, with an address for each sheet."""
    return tuple(
        StoryboardCue(
            start_seconds=tile.start_ms / 1000,
            end_seconds=tile.end_ms / 1000,
            sheet_uri=sheet_uris[tile.sheet],
            x=tile.x,
            y=tile.y,
            width=plan.tile_width,
            height=plan.tile_height,
        )
        for tile in plan.tiles
    )


def sample_for_tile(tile: Tile, timestamps_ms: Sequence[int]) -> int:
    """Index of the sample that shows a tile's time best: the nearest one to its middle."""
    middle = (tile.start_ms + tile.end_ms) / 2
    return min(range(len(timestamps_ms)), key=lambda index: abs(timestamps_ms[index] - middle))


def pick_evenly(items: Sequence[_T], count: int) -> tuple[_T, ...]:
    """At most `count` items, spread over the whole sequence, in its order."""
    if len(items) <= count:
        return tuple(items)
    return tuple(items[(2 * index + 1) * len(items) // (2 * count)] for index in range(count))


def moderation_sample_count(grid: SegmentGrid, policy: VideoPolicy) -> int:
    """One frame a second, up to the cap."""
    return min(policy.sample_frames_max, max(1, ceil(grid.duration_seconds)))


def poster_order(samples: Sequence[SampleStats], *, duration_ms: int) -> tuple[SampleStats, ...]:
    """Candidates for the poster, best first; blank frames come last.

    A frame scores by its detail and by how near to the middle it lies: openings are titles,
    ends are credits. Detail counts by its root, so that a busy frame at the edge doesn't
    beat a good one at the middle.
    """
    middle = duration_ms / 2

    def score(sample: SampleStats) -> tuple[bool, float]:
        distance = abs(sample.timestamp_ms - middle) / max(middle, 1)
        detail = min(sample.deviation, 80.0) ** 0.5
        exposure = 1 - abs(sample.mean - 118) / 236
        return sample.is_blank, -detail * exposure * (1 - 0.5 * min(distance, 1.0))

    return tuple(sorted(samples, key=lambda sample: (*score(sample), sample.timestamp_ms)))
