"""Side effects that media workflows ask for. Implementations: `activities/media/`."""

from __future__ import annotations

from workflows.declarations import declare
from workflows.media.messages import (
    DeletedMedia,
    DeleteMediaInput,
    EncodedAudio,
    EncodedVideo,
    EncodeVideoInput,
    Finished,
    Inspection,
    Judged,
    MarkInput,
    MediaRef,
    Published,
    PublishInput,
    RenderedImage,
    RenderInput,
    SweepReport,
    VideoPlanned,
)


@declare
def inspect_original(ref: MediaRef) -> Inspection:
    """Read the original once: size, SHA-256, type by content, virus scan."""
    raise NotImplementedError


@declare
def render_image(order: RenderInput) -> RenderedImage:
    """Make and store every rendition of a picture from one decode, and judge it."""
    raise NotImplementedError


@declare
def plan_video(order: RenderInput) -> VideoPlanned:
    """Probe a video or audio file and decide rungs, passes and chunks."""
    raise NotImplementedError


@declare
def encode_video(order: EncodeVideoInput) -> EncodedVideo:
    """Encode one pass over one chunk; resumes at the first segment not yet stored."""
    raise NotImplementedError


@declare
def encode_audio(ref: MediaRef) -> EncodedAudio:
    """Encode the sound in one piece at the target loudness; waveform where asked."""
    raise NotImplementedError


@declare
def finish_video(ref: MediaRef) -> Finished:
    """Poster, blurred poster, storyboard and teaser."""
    raise NotImplementedError


@declare
def judge_video(ref: MediaRef) -> Judged:
    """Label the sampled frames and compare them with the block list."""
    raise NotImplementedError


@declare
def publish_media(order: PublishInput) -> Published:
    """In one transaction: join chunks to renditions, switch the served generation, set state."""
    raise NotImplementedError


@declare
def mark_media(mark: MarkInput) -> None:
    """Write how the run stands to the media row, and tell those who follow it."""
    raise NotImplementedError


@declare
def discard_generation(ref: MediaRef) -> None:
    """Delete what an unpublished generation left in storage and in the database."""
    raise NotImplementedError


@declare
def erase_media(order: DeleteMediaInput) -> DeletedMedia:
    """Delete every object of a media from every bucket, purge the CDN, drop its renditions."""
    raise NotImplementedError


@declare
def sweep_media() -> SweepReport:
    """Expire abandoned uploads, start what a crash left unstarted, keep retention times."""
    raise NotImplementedError
