"""The creator's handle as a picture that ffmpeg lays over every frame."""

from __future__ import annotations

from pathlib import Path

from infra.images.rendering import policy_from
from infra.images.watermark import drawn_mark
from infra.models import Media
from infra.settings import Settings
from infra.video.graph import Watermark

DRAWN_FOR = (1920, 1080)
"""The mark is drawn once, large enough for the top rung, and scaled down for the others."""


def video_watermark(settings: Settings, media: Media, folder: Path) -> Watermark | None:
    """The mark of this media's creator; None where they asked for none."""
    if media.watermark_text is None:
        return None
    width, height = DRAWN_FOR
    mark = drawn_mark(
        media.watermark_text, policy_from(settings).watermark, width=width, height=height
    )
    path = folder / "mark.png"
    mark.save(path)
    return Watermark(
        image=path,
        corner=settings.watermark_corner,
        height_bps=round(mark.height * 10_000 / height),
    )
