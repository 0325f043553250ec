"""Renditions of a picture, made by a confined child; the parent only sees files and facts."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from domain.errors import Fact, Invalid
from domain.media.images import CONTENT_TYPES, ImagePolicy, WatermarkPolicy
from domain.media.states import RenditionKind
from infra.sandbox import Limits, Usage, Zygote

if TYPE_CHECKING:
    # The zygote loads this package too, and has no use for settings.
    from infra.settings import Settings

WALL_PER_CPU_SECOND = 4
"""On a busy machine a child waits for its turn; the limit on CPU is the one that judges."""
FILE_BYTES_MAX = 256 * 1024 * 1024
THREADS_MAX = 4


@dataclass(frozen=True)
class RenderedFile:
    """One rendition on scratch."""

    name: str
    kind: RenditionKind
    path: Path
    content_type: str
    width: int
    height: int
    bytes: int


@dataclass(frozen=True)
class RenderedImage:
    """Everything that was made of one picture. Sizes are as a viewer sees them."""

    renditions: tuple[RenderedFile, ...]
    width: int
    height: int
    frames: int
    has_alpha: bool
    thumbhash: str
    """base64; about 25 bytes."""
    sample: Path
    """A small JPEG of ours without watermark, for moderation; not a rendition."""
    facts: dict[str, Fact]


def policy_from(settings: Settings) -> ImagePolicy:
    return ImagePolicy(
        pixels_max=settings.image_pixels_max,
        frames_max=settings.image_frames_max,
        seconds_max=settings.decoder_image_seconds_max,
        memory_bytes_max=settings.decoder_memory_bytes_max,
        widths=tuple(sorted(settings.image_widths)),
        jpeg_quality=settings.image_jpeg_quality,
        webp_quality=settings.image_webp_quality,
        webp_effort=settings.image_webp_effort,
        avif=settings.image_avif,
        avif_quality=settings.image_avif_quality,
        avif_effort=settings.image_avif_effort,
        avif_width_min=settings.image_avif_width_min,
        thumbnail_side=settings.image_thumbnail_side,
        blur_width=settings.image_blur_width,
        watermark=WatermarkPolicy(
            height_bps=settings.watermark_height_bps,
            corner=settings.watermark_corner,
            opacity_bps=settings.watermark_opacity_bps,
            width_min=settings.watermark_width_min,
        ),
    )


def render(
    zygote: Zygote,
    *,
    source: Path,
    out_dir: Path,
    policy: ImagePolicy,
    watermark_text: str | None,
    content_type: str,
    only: Collection[str] = (),
    cancel: threading.Event | None = None,
    on_usage: Callable[[Usage], object] | None = None,
) -> RenderedImage:
    """Decode `source` once and write its renditions to `out_dir`.

    `content_type` is what was sniffed, and decides the decoder. `only` makes the renditions
    of these names alone.

    Raises:
        MediaRejected: `unsupported_type`, `unsupported_codec`, `corrupt_media`,
            `decompression_bomb`, `too_many_frames`.
        ChildFailed: the child hit a limit or died; see `infra.sandbox.errors`.
        Invalid: this picture has no rendition of the names in `only`.
    """
    made = _run(
        zygote,
        source=source,
        out_dir=out_dir,
        policy=policy,
        watermark_text=watermark_text,
        content_type=content_type,
        only=only,
        is_poster=False,
        cancel=cancel,
        on_usage=on_usage,
    )
    if not made.renditions:
        raise Invalid("the picture has no such rendition", wanted=", ".join(sorted(only)))
    return made


def render_poster(
    zygote: Zygote,
    *,
    source: Path,
    out_dir: Path,
    policy: ImagePolicy,
    watermark_text: str | None = None,
    cancel: threading.Event | None = None,
) -> RenderedImage:
    """Make `poster.*`, `thumb.*` and `poster_blur.*` from a JPEG frame of a video.

    Give `watermark_text` only where the frame carries none yet. Raises as `render` does.
    """
    return _run(
        zygote,
        source=source,
        out_dir=out_dir,
        policy=policy,
        watermark_text=watermark_text,
        content_type="image/jpeg",
        only=(),
        is_poster=True,
        cancel=cancel,
        on_usage=None,
    )


def _run(
    zygote: Zygote,
    *,
    source: Path,
    out_dir: Path,
    policy: ImagePolicy,
    watermark_text: str | None,
    content_type: str,
    only: Collection[str],
    is_poster: bool,
    cancel: threading.Event | None,
    on_usage: Callable[[Usage], object] | None,
) -> RenderedImage:
    limits = Limits(
        cpu_seconds=policy.seconds_max,
        wall_seconds=policy.seconds_max * WALL_PER_CPU_SECOND,
        memory_bytes=policy.memory_bytes_max,
        file_bytes=FILE_BYTES_MAX,
    )
    argument = {
        "source": str(source.absolute()),
        "out_dir": str(out_dir.absolute()),
        "policy": asdict(policy),
        "watermark_text": watermark_text,
        "content_type": content_type,
        "only": sorted(only),
        "is_poster": is_poster,
        "threads": min(THREADS_MAX, len(os.sched_getaffinity(0))),
    }
    answer = zygote.run(
        "infra.images.child:render", argument, limits=limits, cancel=cancel, on_usage=on_usage
    )
    return _rendered(answer, out_dir)


def _rendered(answer: dict[str, Any], out_dir: Path) -> RenderedImage:
    files = []
    for entry in answer["renditions"]:
        path = out_dir / Path(entry["name"]).name
        files.append(
            RenderedFile(
                name=path.name,
                kind=RenditionKind(entry["kind"]),
                path=path,
                content_type=CONTENT_TYPES[path.suffix.removeprefix(".")],
                width=int(entry["width"]),
                height=int(entry["height"]),
                bytes=path.stat().st_size,
            )
        )
    return RenderedImage(
        renditions=tuple(files),
        width=int(answer["width"]),
        height=int(answer["height"]),
        frames=int(answer["frames"]),
        has_alpha=bool(answer["has_alpha"]),
        thumbhash=str(answer["thumbhash"]),
        sample=out_dir / "sample.jpg",
        facts={
            "format": str(answer["format"]),
            "frames": int(answer["frames"]),
            "has_alpha": bool(answer["has_alpha"]),
            "orientation": int(answer["orientation"]),
        },
    )
