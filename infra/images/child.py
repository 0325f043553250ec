"""What the confined child does with one picture: decode once, make everything from that.

Each width is made from the next larger one, which is in memory. Encoders run side by side
while the next width is being made.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyvips

from domain.errors import MediaRejected
from domain.media.images import (
    ImagePolicy,
    RenditionPlan,
    WatermarkPolicy,
    poster_renditions_for,
    renditions_for,
    sizes_for,
)
from domain.media.states import RenditionKind
from infra.images import previews
from infra.images.loading import Opened, openers_for, reason_of, rejection
from infra.images.pixels import frames_at, resized
from infra.images.watermark import watermarked
from infra.images.writing import Plate, Timing, write_animation

SAMPLE_SIDE = 512
"""What PDQ and the label model look at; both scale it down further themselves."""
SAMPLE_QUALITY = 90
_FULL_SIZE = (RenditionKind.IMAGE, RenditionKind.POSTER)
_SMALL = (RenditionKind.THUMBNAIL, RenditionKind.BLUR, RenditionKind.POSTER_BLUR)


def render(argument: dict[str, Any]) -> dict[str, Any]:
    """Make the renditions of one picture; see `infra.images.rendering.render`.

    Raises:
        MediaRejected: the picture breaks a limit or can't be decoded.
    """
    policy = _policy(argument["policy"])
    opened, frames = _decoded(Path(argument["source"]), argument["content_type"], policy)
    width, height = opened.shown_size
    if argument["is_poster"]:
        plans = poster_renditions_for(policy, width=width, height=height)
    else:
        plans = renditions_for(
            policy, width=width, height=height, frames=opened.frames, only=argument["only"]
        )
    kitchen = _Kitchen(
        policy=policy,
        out_dir=Path(argument["out_dir"]),
        text=argument["watermark_text"],
        timing=Timing(tuple(opened.delays_ms), opened.loops) if opened.frames > 1 else None,
        threads=argument["threads"],
    )
    levels = kitchen.serve(frames, sizes_for(policy, width=width, height=height), plans)
    return {
        "width": width,
        "height": height,
        "frames": opened.frames,
        "has_alpha": bool(frames[0].hasalpha()),
        "format": opened.format,
        "orientation": opened.orientation,
        "thumbhash": previews.thumbhash_of(levels),
        "sample": kitchen.sample_path.name,
        "renditions": [
            {"name": p.name, "kind": p.kind.value, "width": p.width, "height": p.height}
            for p in plans
        ],
    }


def _policy(fields: dict[str, Any]) -> ImagePolicy:
    return ImagePolicy(
        **fields
        | {
            "widths": tuple(fields["widths"]),
            "watermark": WatermarkPolicy(**fields["watermark"]),
        }
    )


def _decoded(
    source: Path, content_type: str, policy: ImagePolicy
) -> tuple[Opened, list[pyvips.Image]]:
    """Every pixel of the picture, at its largest size, from the first reader that gets there."""
    failures: list[str] = []
    for opener in openers_for(content_type):
        try:
            opened = opener(source, policy)
            width, height = opened.shown_size
            largest = sizes_for(policy, width=width, height=height)[0]
            frames = frames_at(opened, *largest)
        except (MediaRejected, MemoryError):
            raise
        except Exception as error:
            # Decoders raise whatever the broken bytes made them stumble on.
            failures.append(reason_of(error))
        else:
            if frames:
                return opened, frames
            failures.append("no frame")
    raise rejection(failures)


class _Kitchen:
    """Turns frames into files, with as many encoders at work as there are threads."""

    def __init__(
        self,
        *,
        policy: ImagePolicy,
        out_dir: Path,
        text: str | None,
        timing: Timing | None,
        threads: int,
    ) -> None:
        self._policy = policy
        self._out_dir = out_dir
        self._text = text
        self._timing = timing
        self._threads = threads
        self.sample_path = out_dir / "sample.jpg"

    def serve(
        self,
        frames: list[pyvips.Image],
        sizes: tuple[tuple[int, int], ...],
        plans: Iterable[RenditionPlan],
    ) -> list[pyvips.Image]:
        """Write every plan and the sample; return the first frame of each size."""
        plans = tuple(plans)
        levels: list[pyvips.Image] = []
        with ThreadPoolExecutor(self._threads) as pool:
            cooking: list[Future[None]] = []
            for width, height in sizes:
                if (frames[0].width, frames[0].height) != (width, height):
                    frames = [resized(frame, width, height).copy_memory() for frame in frames]
                levels.append(frames[0])
                wanted = [p for p in plans if p.kind in _FULL_SIZE and p.width == width]
                if wanted:
                    cooking.append(pool.submit(self._write_full, wanted, frames))
            cooking.append(pool.submit(self._write_sample, levels))
            for kind in _SMALL:
                same = [plan for plan in plans if plan.kind is kind]
                if same:
                    cooking.append(pool.submit(self._write_small, same, levels))
            for task in cooking:
                task.result()
        return levels

    def _write_full(self, plans: list[RenditionPlan], frames: list[pyvips.Image]) -> None:
        """One size in each of its formats."""
        if self._text and plans[0].is_watermarked:
            mark = self._policy.watermark
            frames = [watermarked(frame, self._text, mark).copy_memory() for frame in frames]
        self._write(plans, frames)

    def _write(self, plans: list[RenditionPlan], frames: list[pyvips.Image]) -> None:
        plate = Plate(frames[0])
        for plan in plans:
            path = self._out_dir / plan.name
            if plan.extension == "jpg":
                plate.write_jpeg(path, self._policy.jpeg_quality)
            elif plan.extension == "avif":
                plate.write_avif(path, self._policy)
            elif self._timing is not None and plan.kind is RenditionKind.IMAGE:
                write_animation(frames, path, self._policy, self._timing)
            else:
                plate.write_webp(path, self._policy)

    def _write_small(self, plans: list[RenditionPlan], levels: list[pyvips.Image]) -> None:
        """One small picture in each of its formats."""
        first = plans[0]
        if first.kind is RenditionKind.THUMBNAIL:
            small = previews.thumbnail(levels, first.width)
        else:
            small = previews.blur(levels, first.width, first.height)
        self._write(plans, [small])

    def _write_sample(self, levels: list[pyvips.Image]) -> None:
        picture = previews.sample(levels, SAMPLE_SIDE)
        Plate(picture).write_jpeg(self.sample_path, SAMPLE_QUALITY, is_progressive=False)
