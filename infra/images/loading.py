"""Open a picture by its sniffed type and hold its header against the limits, pixels unread.

Runs confined, in the zygote's child. Every type names its one decoder; nothing is guessed
from the bytes again, so that no other loader can be talked into taking the file.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pillow_heif
import pillow_jxl  # noqa: F401 (registers the JXL plugin with Pillow)
import pyvips
from PIL import Image, ImageFile

from domain.errors import MediaRejected
from domain.media.images import ImagePolicy
from domain.media.jpegxl import size_of
from domain.media.rejections import RejectionCode
from infra.images.pillow import vips_from_pillow
from infra.sandbox.errors import tells_of_memory

# Limits are ours and depend on settings; Pillow's own would warn or raise below them.
Image.MAX_IMAGE_PIXELS = None
# Load every plugin here, in the zygote: left to the first save, each child pays 40 ms for it.
Image.init()
ImageFile.LOAD_TRUNCATED_IMAGES = False

JPEG_END = b"\xff\xd9"
JPEG_SHRINKS = (8, 4, 2)
HEAD_BYTES = 64 * 1024
DELAY_MS = 100
"""Of a frame that says nothing about it."""
_EXIF_ORIENTATION = 0x0112


@dataclass(frozen=True)
class Opened:
    """A picture whose header fits the limits. Sizes are of one frame, as it is stored."""

    width: int
    height: int
    orientation: int
    """EXIF: 1 to 8; 5 and above swap the sides."""
    format: str
    decode: Callable[[int, int], Iterator[pyvips.Image]]
    """Frames in order, each at least the given size where the picture is; call it once."""
    frames: int = 1
    delays_ms: Sequence[int] = ()
    """How long each frame stays; complete once all of them are decoded."""
    loops: int = 0
    """How often an animation plays; 0 is for ever."""

    @property
    def shown_size(self) -> tuple[int, int]:
        """Width and height as a viewer sees them."""
        if self.orientation >= 5:
            return self.height, self.width
        return self.width, self.height


Opener = Callable[[Path, ImagePolicy], Opened]
"""Reads the header and holds it against the limits.

Raises:
    MediaRejected: `decompression_bomb`, `too_many_frames`; final, whatever others may read.
    Exception: whatever the decoder's parsing stumbled on; another one may know better.
"""


def openers_for(content_type: str) -> tuple[Opener, ...]:
    """The readers of a type, to be tried in order.

    Raises:
        MediaRejected: `unsupported_type`.
    """
    openers = _OPENERS.get(content_type)
    if openers is None:
        raise MediaRejected(RejectionCode.UNSUPPORTED_TYPE, content_type=content_type)
    return openers


def reason_of(error: Exception) -> str:
    """What a decoder said, in one line.

    Raises:
        MemoryError: the decoder ran out of memory, which is not the file's fault alone.
    """
    said = str(error).strip()
    if tells_of_memory(said):
        raise MemoryError(said)
    lines = [line.strip() for line in said.splitlines()]
    telling = [line for line in lines if line and not line.startswith("unable to")] or lines
    kind = "" if isinstance(error, pyvips.Error) else f"{type(error).__name__}: "
    return (kind + telling[0])[:200]


def rejection(failures: Sequence[str]) -> MediaRejected:
    """What to tell of a picture that none of its readers could read."""
    text = "; ".join(failures)
    lowered = text.lower()
    is_unsupported = "unsupported" in lowered or "not supported" in lowered
    code = RejectionCode.UNSUPPORTED_CODEC if is_unsupported else RejectionCode.CORRUPT_MEDIA
    return MediaRejected(code, decoder=text[:300])


def check_size(policy: ImagePolicy, *, width: int, height: int, frames: int) -> None:
    """Hold the limits on frames and on pixels over all of them.

    Raises:
        MediaRejected: `too_many_frames` or `decompression_bomb`.
    """
    if frames > policy.frames_max:
        raise MediaRejected(
            RejectionCode.TOO_MANY_FRAMES, frames=frames, frames_max=policy.frames_max
        )
    pixels = width * height * frames
    if pixels > policy.pixels_max:
        raise MediaRejected(
            RejectionCode.DECOMPRESSION_BOMB,
            width=width,
            height=height,
            frames=frames,
            pixels=pixels,
            pixels_max=policy.pixels_max,
        )
    if width < 1 or height < 1:
        raise MediaRejected(RejectionCode.CORRUPT_MEDIA, width=width, height=height)


# --- libvips ---------------------------------------------------------------------------------


def _field(image: pyvips.Image, name: str) -> int | None:
    return int(image.get(name)) if image.get_typeof(name) else None


def _orientation(image: pyvips.Image) -> int:
    value = _field(image, "orientation") or 1
    return value if 1 <= value <= 8 else 1


def _open_jpeg(path: Path, policy: ImagePolicy) -> Opened:
    return _jpeg(
        lambda shrink: pyvips.Image.jpegload(
            str(path), shrink=shrink, access="sequential", fail_on="truncated"
        ),
        policy,
    )


def _open_endless_jpeg(path: Path, policy: ImagePolicy) -> Opened:
    """A JPEG that lacks nothing but its end marker, as some cameras and tools leave it.

    With the marker put back, one that is really cut off still warns, and is refused.
    """
    whole = path.read_bytes() + JPEG_END
    return _jpeg(
        lambda shrink: pyvips.Image.jpegload_buffer(
            whole, shrink=shrink, access="sequential", fail_on="warning"
        ),
        policy,
    )


def _jpeg(load: Callable[[int], pyvips.Image], policy: ImagePolicy) -> Opened:
    header = load(1)
    check_size(policy, width=header.width, height=header.height, frames=1)

    def decode(width: int, height: int) -> Iterator[pyvips.Image]:
        # The decoder halves nearly for free: let it, as far as the wanted size allows.
        shrink = next(
            (
                by
                for by in JPEG_SHRINKS
                if header.width >= by * width and header.height >= by * height
            ),
            1,
        )
        yield load(shrink)

    return Opened(header.width, header.height, _orientation(header), "jpeg", decode)


def _open_still(loader: str, fail_on: str = "truncated") -> Opener:
    def open_still(path: Path, policy: ImagePolicy) -> Opened:
        load = getattr(pyvips.Image, loader)
        image = load(str(path), access="sequential", fail_on=fail_on)
        check_size(policy, width=image.width, height=image.height, frames=1)

        def decode(_width: int, _height: int) -> Iterator[pyvips.Image]:
            yield image

        return Opened(
            image.width, image.height, _orientation(image), loader.removesuffix("load"), decode
        )

    return open_still


def _open_pages(loader: str) -> Opener:
    """GIF and WebP: one long strip of frames, cut up after it is decoded."""

    def open_pages(path: Path, policy: ImagePolicy) -> Opened:
        strip = getattr(pyvips.Image, loader)(
            str(path), n=-1, access="sequential", fail_on="truncated"
        )
        frames = _field(strip, "n-pages") or 1
        high = _field(strip, "page-height") or strip.height
        check_size(policy, width=strip.width, height=high, frames=frames)

        def decode(_width: int, _height: int) -> Iterator[pyvips.Image]:
            if frames == 1:
                yield strip
                return
            pixels = strip.copy_memory()
            for number in range(frames):
                yield pixels.crop(0, number * high, strip.width, high)

        delays = strip.get("delay") if strip.get_typeof("delay") else []
        return Opened(
            strip.width,
            high,
            _orientation(strip),
            loader.removesuffix("load"),
            decode,
            frames=frames,
            delays_ms=tuple(int(delay) for delay in delays),
            loops=_field(strip, "loop") or 0,
        )

    return open_pages


# --- Pillow ----------------------------------------------------------------------------------


def _open_pillow(format: str) -> Opener:
    """Kinds that this libvips has no loader for, and animations that it sees as stills."""

    def open_pillow(path: Path, policy: ImagePolicy) -> Opened:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # About metadata, which is dropped anyway.
            picture = Image.open(path, formats=[format])
        width, height = picture.size
        total = int(getattr(picture, "n_frames", 1))
        check_size(policy, width=width, height=height, frames=total)
        # An APNG may carry a still for viewers that can't animate; it is not a frame.
        first = 1 if total > 1 and picture.info.get("default_image") else 0
        delays: list[int] = []

        def decode(_width: int, _height: int) -> Iterator[pyvips.Image]:
            for number in range(first, total):
                if total > 1:
                    picture.seek(number)
                picture.load()
                delays.append(round(picture.info.get("duration", DELAY_MS)))
                yield vips_from_pillow(picture)

        return Opened(
            width,
            height,
            _pillow_orientation(picture),
            format.lower(),
            decode,
            frames=total - first,
            delays_ms=delays,
            loops=int(picture.info.get("loop") or 0),
        )

    return open_pillow


def _pillow_orientation(picture: Image.Image) -> int:
    value = picture.getexif().get(_EXIF_ORIENTATION, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _open_jxl(path: Path, policy: ImagePolicy) -> Opened:
    with path.open("rb") as file:
        size = size_of(file.read(HEAD_BYTES))
    if size is None:
        raise MediaRejected(RejectionCode.CORRUPT_MEDIA, decoder="no JPEG XL size header")
    check_size(policy, width=size[0], height=size[1], frames=1)
    opened = _open_pillow("JXL")(path, policy)
    # libjxl turns the pixels itself and leaves the tag as it was.
    return Opened(opened.width, opened.height, 1, "jxl", opened.decode)


def _open_heif(path: Path, policy: ImagePolicy) -> Opened:
    """HEVC in HEIF. libheif turns and mirrors by itself, and brings 10 bits to 8."""
    family = pillow_heif.open_heif(path)
    primary = family[family.primary_index]
    width, height = primary.size
    check_size(policy, width=width, height=height, frames=1)

    def decode(_width: int, _height: int) -> Iterator[pyvips.Image]:
        yield vips_from_pillow(primary.to_pillow())

    return Opened(width, height, 1, "heif", decode)


_OPENERS: dict[str, tuple[Opener, ...]] = {
    "image/jpeg": (_open_jpeg, _open_endless_jpeg),
    "image/png": (_open_still("pngload"),),
    "image/apng": (_open_pillow("PNG"),),
    "image/gif": (_open_pages("gifload"),),
    "image/webp": (_open_pages("webpload"),),
    "image/tiff": (_open_still("tiffload", fail_on="error"), _open_pillow("TIFF")),
    "image/bmp": (_open_pillow("BMP"),),
    "image/jp2": (_open_pillow("JPEG2000"),),
    "image/jxl": (_open_jxl,),
    "image/avif": (_open_pillow("AVIF"), _open_still("heifload")),
    "image/heic": (_open_heif,),
    "image/heif": (_open_heif, _open_still("heifload")),
    "image/heic-sequence": (_open_heif,),
    "image/heif-sequence": (_open_heif, _open_still("heifload")),
}
