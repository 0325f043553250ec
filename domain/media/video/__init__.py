"""Rules of video: what a source is, its ladder, its grid of segments, its stills."""

from __future__ import annotations

from domain.media.video.grid import Chunk, SegmentGrid, chunks_for, grid_for, output_frame_rate
from domain.media.video.ladder import Rung, VideoPolicy, ladder_for, may_copy, passes_for
from domain.media.video.source import (
    AudioTrack,
    Colour,
    SourceAudio,
    SourceVideo,
    Transfer,
    source_from_facts,
)
from domain.media.video.stills import (
    SAMPLE_WIDTH,
    SampleStats,
    StoryboardPlan,
    Tile,
    moderation_sample_count,
    pick_evenly,
    poster_order,
    sample_every_frames,
    sample_for_tile,
    storyboard_cues,
    storyboard_for,
)

__all__ = [
    "SAMPLE_WIDTH",
    "AudioTrack",
    "Chunk",
    "Colour",
    "Rung",
    "SampleStats",
    "SegmentGrid",
    "SourceAudio",
    "SourceVideo",
    "StoryboardPlan",
    "Tile",
    "Transfer",
    "VideoPolicy",
    "chunks_for",
    "grid_for",
    "ladder_for",
    "may_copy",
    "moderation_sample_count",
    "output_frame_rate",
    "passes_for",
    "pick_evenly",
    "poster_order",
    "sample_every_frames",
    "sample_for_tile",
    "source_from_facts",
    "storyboard_cues",
    "storyboard_for",
]
