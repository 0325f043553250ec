"""Which renditions a picture gets, from its size and the policy alone."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from domain.media.states import RenditionKind

SIDE_MAX = 16_383
"""The longest side that WebP can hold; renditions of very long strips shrink to it."""

BLUR_HEIGHT_FACTOR_MAX = 4
"""A blur preview is at most this many times as high as wide, however long the strip."""

CONTENT_TYPES = {"jpg": "image/jpeg", "webp": "image/webp", "avif": "image/avif"}


@dataclass(frozen=True)
class WatermarkPolicy:
    """How the creator's handle is laid over full-size renditions. bps: 1/10000."""

    height_bps: int = 350
    corner: str = "bottom-right"
    opacity_bps: int = 8000
    width_min: int = 640


@dataclass(frozen=True)
class ImagePolicy:
    """Limits on what is taken and settings of what is made."""

    pixels_max: int = 100_000_000
    """Over all frames."""
    frames_max: int = 1000
    seconds_max: int = 30
    memory_bytes_max: int = 4 * 1024**3
    widths: tuple[int, ...] = (320, 640, 960, 1440, 2048)
    jpeg_quality: int = 80
    webp_quality: int = 80
    webp_effort: int = 4
    avif: bool = False
    avif_quality: int = 55
    avif_effort: int = 2
    avif_width_min: int = 640
    thumbnail_side: int = 256
    blur_width: int = 64
    watermark: WatermarkPolicy = field(default_factory=WatermarkPolicy)


@dataclass(frozen=True)
class RenditionPlan:
    """One file to make. `extension` names the format; the name is unique for its media."""

    name: str
    kind: RenditionKind
    width: int
    height: int
    is_watermarked: bool = False

    @property
    def extension(self) -> str:
        return self.name.rpartition(".")[2]

    @property
    def content_type(self) -> str:
        return CONTENT_TYPES[self.extension]


def sizes_for(policy: ImagePolicy, *, width: int, height: int) -> tuple[tuple[int, int], ...]:
    """Width and height of each full-size rendition, largest first; never enlarged.

    A picture narrower than the largest width has its own size as its largest rendition.
    """
    if height > SIDE_MAX:
        width, height = max(1, round(width * SIDE_MAX / height)), SIDE_MAX
    if width > SIDE_MAX:
        width, height = SIDE_MAX, max(1, round(height * SIDE_MAX / width))
    largest = min(width, max(policy.widths))
    widths = {largest, *(step for step in policy.widths if step < largest)}
    return tuple((step, max(1, round(height * step / width))) for step in sorted(widths)[::-1])


def renditions_for(
    policy: ImagePolicy,
    *,
    width: int,
    height: int,
    frames: int = 1,
    only: Collection[str] = (),
) -> tuple[RenditionPlan, ...]:
    """Every file to make of a picture of this size (after orientation), largest first.

    `only` keeps the files of these names, to make single ones again. An animation has no
    AVIF: it would stand still beside a WebP that moves.
    """
    plans = (
        *_full_size(policy, width, height, has_avif=policy.avif and frames == 1),
        *_thumbnails(policy, width, height),
        *_blurs(policy, width, height, name="blur", kind=RenditionKind.BLUR),
    )
    return tuple(plan for plan in plans if not only or plan.name in only)


def poster_renditions_for(
    policy: ImagePolicy, *, width: int, height: int
) -> tuple[RenditionPlan, ...]:
    """What is made of the frame that stands for a video."""
    (largest, high), *_ = sizes_for(policy, width=width, height=height)
    return (
        *(
            RenditionPlan(
                f"poster.{extension}",
                RenditionKind.POSTER,
                largest,
                high,
                is_watermarked=largest >= policy.watermark.width_min,
            )
            for extension in ("webp", "jpg")
        ),
        *_thumbnails(policy, width, height),
        *_blurs(policy, width, height, name="poster_blur", kind=RenditionKind.POSTER_BLUR),
    )


def _full_size(
    policy: ImagePolicy, width: int, height: int, *, has_avif: bool
) -> Iterator[RenditionPlan]:
    for step, high in sizes_for(policy, width=width, height=height):
        extensions = ["webp", "jpg"]
        if has_avif and step >= policy.avif_width_min:
            extensions.append("avif")
        for extension in extensions:
            yield RenditionPlan(
                f"w{step}.{extension}",
                RenditionKind.IMAGE,
                step,
                high,
                is_watermarked=step >= policy.watermark.width_min,
            )


def _thumbnails(policy: ImagePolicy, width: int, height: int) -> Iterator[RenditionPlan]:
    side = min(policy.thumbnail_side, width, height)
    for extension in ("webp", "jpg"):
        yield RenditionPlan(f"thumb.{extension}", RenditionKind.THUMBNAIL, side, side)


def _blurs(
    policy: ImagePolicy, width: int, height: int, *, name: str, kind: RenditionKind
) -> Iterator[RenditionPlan]:
    scale = min(
        1.0,
        policy.blur_width / width,
        policy.blur_width * BLUR_HEIGHT_FACTOR_MAX / height,
    )
    size = max(1, round(width * scale)), max(1, round(height * scale))
    for extension in ("webp", "jpg"):
        yield RenditionPlan(f"{name}.{extension}", kind, *size)
